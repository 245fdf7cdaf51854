# Keep Chronos running.

{%- from "chronos/map.jinja" import chronos with context %}
{%- set plan = salt['slsutil.renderer']('salt://chronos/plan.py', default_renderer='py', settings=chronos) %}

include:
  - mesos.config
  - chronos.package
  - chronos.config

chronos-service:
  service.running:
    - name: chronos
    - enable: True
    - require:
      - module: chronos-unit-reload
    - watch:
      - pkg: mesos-package
      - pkg: chronos-package
{%- if plan.launcher == 'old' %}
      - file: mesos-zk
{%- endif %}
      - mesos: chronos-flags
      - file: chronos-environment
      - file: chronos-secrets
      - file: chronos-unit
