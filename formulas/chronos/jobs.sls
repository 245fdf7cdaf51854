# The jobs that pillar declares in chronos:jobs. Applied once for a cluster, on any node that
# reaches Chronos: see orchestration.apps. `chronos`, which installs Chronos, does not include this.
#
# Try it:  salt 'lxdev01' state.apply chronos.jobs test=True

{%- from "chronos/map.jinja" import chronos with context %}
{%- set deployment = chronos.deployment %}
{#- Arguments of states are logged, and a definition may have a secret: use its path in pillar. -#}
{%- set jobs = {} %}
{%- for name, definition in chronos.jobs.items() if definition is not none %}
{%- do jobs.update({name: definition if definition is string else 'pillar:chronos:jobs:' ~ name}) %}
{%- endfor %}
{%- set absent = chronos.jobs.items() | selectattr(1, 'none') | map('first') | list %}

include:
  - common.validate
{%- if not chronos.jobs and not deployment.purge %}

chronos-jobs-undeclared:
  test.nop:
    - name: 'chronos:jobs declares nothing'
{%- else %}

chronos-jobs:
  chronos.jobs_present:
    - jobs: {{ jobs | json(sort_keys=False) }}
    - absent: {{ absent | json }}
    - mode: {{ deployment.mode | json }}
    - match: {{ deployment.match | json }}
    - owner_name: {{ deployment.owner_name | json }}
    - purge: {{ deployment.purge | json }}
{%- endif %}
