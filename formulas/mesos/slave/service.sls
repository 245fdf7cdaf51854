# Keep the agent running. Its tasks survive a restart (KillMode=process), and the agent finds them
# again.

{%- from "mesos/map.jinja" import vendor with context %}
{%- from "mesos/service.jinja" import service %}

include:
  - mesos.config
  - mesos.slave.config
{{ service('slave', vendor.slave.unit) }}
