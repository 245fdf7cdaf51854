# The files of mesos-slave: one for each flag, attribute and resource, one for each secret that a
# flag names, its environment and its unit.

{%- from "mesos/map.jinja" import mesos, tree, vendor with context %}
{%- from "mesos/config.jinja" import config with context %}

include:
  - mesos.package

# At boot the agent starts after dockerd, if there is one. It exits if it does not find dockerd, and
# only starts again 20 seconds later.
{{- config('slave', after='docker.service') }}
