# Keep the master running. It restarts as soon as its own files change: several masters at once only with `salt -b 1`, so that
# a leader is left.

include:
  - mesos.config
  - mesos.master.config

# systemd keeps the old unit in mind when a package brings another one that is no newer than it.
mesos-master-unit-reload:
  module.run:
    - service.systemctl_reload: []
    - onchanges:
      - pkg: mesos-package
      - file: mesos-master-unit

mesos-master-service:
  service.running:
    - name: mesos-master
    - enable: True
    - unmask: True
    - require:
      - module: mesos-master-unit-reload
    - watch:
      - pkg: mesos-package
      - file: mesos-zk
      - file: mesos-environment
      - mesos: mesos-master-secrets
      - mesos: mesos-master-flags
      - file: mesos-master-environment
      - file: mesos-master-unit
