# Keep the server running, and restart it after a change, in turns with the others of its ensemble.

{%- from "zookeeper/map.jinja" import zookeeper, package with context %}
{%- from "zookeeper/ready.jinja" import ready, peers with context %}
{%- from "common/systemd.jinja" import unit_reload %}

include:
  - zookeeper.package
  - zookeeper.config
{{ unit_reload('zookeeper', 'zookeeper-package') }}

zookeeper-service:
  daemon.running:
    - name: {{ package.service }}
    - reads:
      - {{ package.conf }}/zoo.cfg
      - {{ package.conf }}/log4j.properties
      - {{ package.conf }}/logback.xml
      - {{ package.environment }}
{%- if zookeeper.myid %}
      - {{ (zookeeper.data_dir ~ '/myid') | json }}
{%- endif %}
    - ready: {{ ready | json }}
    - peers: {{ peers | json }}
    - require:
      - file: zookeeper-data
      - module: zookeeper-unit-reload
    - watch:
      - pkg: zookeeper-package
      - file: zookeeper-config
      - file: zookeeper-environment
      - file: zookeeper-log
{%- if zookeeper.myid %}
      - file: zookeeper-myid
{%- endif %}
