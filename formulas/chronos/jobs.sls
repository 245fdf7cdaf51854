# The jobs that pillar declares, chronos:jobs, brought to Chronos: once for a cluster, on any node that reaches it (orchestration.apps sees
# to that). No part of `chronos`, which installs it.
#
# Try it:  salt 'lxdev01' state.apply chronos.jobs test=True

{%- from "chronos/map.jinja" import chronos with context %}
{%- set deployment = chronos.deployment %}
{%- set jobs = dict(chronos.jobs.items() | rejectattr(1, 'none')) %}
{%- set no_jobs = chronos.jobs.items() | selectattr(1, 'none') | map('first') | list %}

include:
  - common.guard
{%- if not chronos.jobs and not deployment.purge %}

chronos-jobs-undeclared:
  test.nop:
    - name: 'chronos:jobs declares nothing'
{%- endif %}
{%- if jobs or deployment.purge %}

chronos-jobs:
  chronos.jobs_present:
    - jobs: {{ jobs | json(sort_keys=False) }}
    - mode: {{ deployment.mode }}
    - match: {{ deployment.match }}
    - owner_name: {{ deployment.owner_name | json }}
    - purge: {{ deployment.purge }}
{%- endif %}
{%- if no_jobs %}

# After the others: what ran after a job that goes runs after another now.
chronos-jobs-withdrawn:
  chronos.job_absent:
    - names: {{ no_jobs | json }}
{%- endif %}
