# Keep the agent running. Its tasks survive a restart (KillMode=process) and are found again.

{%- from "mesos/map.jinja" import agent with context %}

include:
  - mesos.config
  - mesos.slave.config

# systemd keeps the old unit in mind when a package brings another one that is no newer than it.
mesos-slave-unit-reload:
  module.run:
    - service.systemctl_reload: []
    - onchanges:
      - pkg: mesos-package
      - file: mesos-slave-unit

mesos-slave-service:
  service.running:
    - name: {{ agent.unit }}
    - enable: True
    - unmask: True
    - require:
      - module: mesos-slave-unit-reload
    - watch:
      - pkg: mesos-package
      - file: mesos-zk
      - file: mesos-environment
      - mesos: mesos-slave-secrets
      - mesos: mesos-slave-flags
      - file: mesos-slave-environment
      - file: mesos-slave-unit
