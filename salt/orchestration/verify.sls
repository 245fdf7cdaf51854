# Verify that the cluster works, after any change: an app of Marathon and a job of Chronos really
# run, answer, and are removed again, also after a failure.
#
#   salt-run state.orchestrate orchestration.verify test=True
#   salt-run state.orchestrate orchestration.verify
#
#   1  the Mesos masters have a leader, and at least one agent is active
#   2  Marathon runs an app, which answers over HTTP (/salt-mesos-verify/app)
#   3  Chronos runs a job, which succeeds (salt-mesos-verify)
#
# A step whose role no node has is left out. A step that fails says why, and the run goes on with
# the other one. Each of them waits for 120 seconds: pillar='{"timeout": 300}'. What an interrupted
# run has left is removed by the next one.

{%- from "orchestration/topology.jinja" import errors, members, node_pillar, opening with context %}
{%- if not errors and 'marathon' not in members and 'chronos' not in members %}
{%- do errors.append(
      'No node of the topology has the role marathon or chronos, so nothing can be run.') %}
{%- endif %}
{%- macro step(name, role, check) %}

{{ name }}:
  salt.state:
    - tgt: {{ members[role] | json }}
    - tgt_type: list
    - subset: 1
    - sls: {{ check | json }}
    - pillar: {{ node_pillar | json }}
{%- endmacro %}
{{- opening() }}
{%- if not errors %}
{{- step('Mesos has a leader and agents', 'mesos-master',
      ['orchestration.minion.mesos_leader', 'orchestration.minion.mesos_agents']) }}
    - failhard: True
{%- if 'marathon' in members %}
{{- step('An app of Marathon runs, answers over HTTP and is removed', 'marathon',
      ['orchestration.minion.marathon_leader', 'orchestration.minion.marathon_verified']) }}
{%- endif %}
{%- if 'chronos' in members %}
{{- step('A job of Chronos runs, succeeds and is removed', 'chronos',
      ['orchestration.minion.chronos_leader', 'orchestration.minion.chronos_verified']) }}
{%- endif %}
{%- endif %}
