# Keep Marathon running and enabled, also after an upgrade of the package, which since 1.7.149 leaves it stopped and disabled.

{%- from "marathon/map.jinja" import marathon with context %}
{%- set plan = salt['slsutil.renderer']('salt://marathon/plan.py', default_renderer='py', settings=marathon) %}

include:
  - marathon.package
  - marathon.config

# systemd keeps the old unit in mind when a package brings another one that is no newer than it.
marathon-unit-reload:
  module.run:
    - service.systemctl_reload: []
    - onchanges:
      - pkg: marathon-package
      - file: marathon-unit

marathon-service:
  service.running:
    - name: marathon
    - enable: True
    - require:
      - module: marathon-unit-reload
    - watch:
      - pkg: mesos-package
      - pkg: marathon-package
{%- if plan.flags %}
      - mesos: marathon-flags
{%- endif %}
      - file: marathon-environment
      - file: marathon-secrets
      - file: marathon-unit
