# Keep the server running. A member of an ensemble restarts as soon as its own files change: on several servers at once only
# with `salt -b 1`, so that the others keep the quorum.

{%- from "zookeeper/map.jinja" import zookeeper, package with context %}

include:
  - zookeeper.package
  - zookeeper.config

# systemd keeps the old unit in mind when a package brings another one that is no newer than it.
zookeeper-unit-reload:
  module.run:
    - service.systemctl_reload: []
    - onchanges:
      - pkg: zookeeper-package

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
