# Keep the server running. It restarts as soon as its files change: apply this to the servers of an
# ensemble with `salt -b 1`, so that the others keep the quorum.

{%- from "zookeeper/map.jinja" import zookeeper, package with context %}
{%- from "common/systemd.jinja" import unit_reload %}

include:
  - zookeeper.package
  - zookeeper.config
{{ unit_reload('zookeeper', 'zookeeper-package') }}

zookeeper-service:
  service.running:
    - name: {{ package.service }}
    - enable: True
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
