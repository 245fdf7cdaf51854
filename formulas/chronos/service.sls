# Keep Chronos running.

include:
  - mesos.config
  - chronos.package
  - chronos.config

# systemd keeps the old unit in mind when a package brings another one that is no newer than it.
chronos-unit-reload:
  module.run:
    - service.systemctl_reload: []
    - onchanges:
      - pkg: chronos-package
      - file: chronos-unit

chronos-service:
  service.running:
    - name: chronos
    - enable: True
    - require:
      - module: chronos-unit-reload
    - watch:
      - pkg: mesos-package
      - pkg: chronos-package
      # Old launchers read it, see defaults.yaml.
      - file: mesos-zk
      - mesos: chronos-flags
      - file: chronos-environment
      - file: chronos-secrets
      - file: chronos-unit
