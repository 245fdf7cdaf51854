# The jobs that pillar declares, chronos:jobs, brought to Chronos: once for a cluster, on any node that reaches it (orchestration.apps sees
# to that). No part of `chronos`, which installs it.
#
# Try it:  salt 'lxdev01' state.apply chronos.jobs test=True

{%- from "chronos/map.jinja" import chronos with context %}
{%- set deployment = chronos.deployment %}
{#- Where they stand in pillar: there may be secrets in them, and arguments of states are logged. -#}
{%- set jobs = {} %}
{%- for name, definition in chronos.jobs.items() if definition is not none %}
{%- do jobs.update({name: definition if definition is string else 'pillar:chronos:jobs:' ~ name}) %}
{%- endfor %}
{%- set no_jobs = chronos.jobs.items() | selectattr(1, 'none') | map('first') | list %}

include:
  - common.guard
{%- if not chronos.jobs and not deployment.purge %}

chronos-jobs-undeclared:
  test.nop:
    - name: 'chronos:jobs declares nothing'
{%- else %}

chronos-jobs:
  chronos.jobs_present:
    - jobs: {{ jobs | json(sort_keys=False) }}
    - absent: {{ no_jobs | json }}
    - mode: {{ deployment.mode }}
    - match: {{ deployment.match }}
    - owner_name: {{ deployment.owner_name | json }}
    - purge: {{ deployment.purge }}
{%- endif %}
