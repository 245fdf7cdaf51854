# The files of mesos-slave: one for each flag, attribute and resource, one for each secret that a
# flag names, its environment and its unit.

{%- from "mesos/map.jinja" import mesos, tree, vendor with context %}
{%- from "mesos/config.jinja" import config with context %}
{%- from "mesos/credentials.jinja" import masters_know_credentials with context %}

include:
  - mesos.package

{%- if mesos.slave.secrets.get('credential') %}
{#- A node that is a master as well has the turn: the other masters would wait for it. #}
{%- set timeout = 0 if 'mesos-master' in tree.node.roles else 120 %}
{{- masters_know_credentials('mesos-slave', 'mesos:slave:secrets:credential',
      'mesos: mesos-slave-secrets', after='pkg: mesos-package', timeout=timeout) }}
{%- endif %}

# At boot the agent starts after dockerd, if there is one. It exits if it does not find dockerd, and
# only starts again 20 seconds later.
{{- config('slave', after='docker.service') }}
