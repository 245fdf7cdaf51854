# Keep the server running, and restart it after a change, in turns with the others of its ensemble.

{%- from "zookeeper/map.jinja" import package, zookeeper with context %}
{%- from "zookeeper/ready.jinja" import peers, ready with context %}
{%- from "common/systemd.jinja" import unit_reload %}

include:
  - zookeeper.package
  - zookeeper.config
{{ unit_reload('zookeeper', 'zookeeper-package', 'zookeeper-unit') }}

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
{%- if zookeeper.servers | length > 1 %}

# The leader asks for it while servers are added, see zk.may_join.
zookeeper-server-list:
  zk.server_list_recorded:
    - servers: {{ zookeeper.servers | json }}
    - myid: {{ zookeeper.myid | json }}
    - port: {{ zookeeper.client_port | json }}
    - require:
      - daemon: zookeeper-service
{%- endif %}

# On another disk than the data, see zk.data_stays.
zookeeper-record:
  file.managed:
    - name: {{ package.conf }}/salt-record
    - contents: '# Managed by Salt (zookeeper.service). A server was started on this host.'
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - daemon: zookeeper-service
