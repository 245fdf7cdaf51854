# Keep Marathon running and enabled, also after an upgrade of the package, which since 1.7.149 leaves it stopped and disabled.

{%- from "marathon/map.jinja" import marathon with context %}
{%- set plan = salt['slsutil.renderer']('salt://marathon/plan.py', default_renderer='py', settings=marathon) %}

include:
  - marathon.package
  - marathon.config

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
