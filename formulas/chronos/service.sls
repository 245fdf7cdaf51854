# Keep Chronos running.

{%- from "common/systemd.jinja" import unit_reload %}

include:
  - mesos.config
  - chronos.package
  - chronos.config
{{ unit_reload('chronos', 'chronos-package', 'chronos-unit') }}

chronos-service:
  service.running:
    - name: chronos
    - enable: True
    - require:
      - module: chronos-unit-reload
    - watch:
      - pkg: mesos-package
      - pkg: chronos-package
      # Old launchers read this file, see defaults.yaml.
      - file: mesos-zk
      - mesos: chronos-flags
      - file: chronos-environment
      - file: chronos-secrets
      - file: chronos-unit
