# What pillar declares to run on the cluster, and who may have how much of it: once for the cluster, not once a node. Of the nodes with a
# role one does it, any that answers. One that is off costs each step the timeouts of the Salt master, unless it is said to be:
# pillar='{"skip": ["lxcc03.devops.test"]}'. Where nothing is declared nothing is changed.
#
#   salt-run state.orchestrate orchestration.apps test=True
#   salt-run state.orchestrate orchestration.apps
#
#   1  the Mesos masters have a leader, and have the weights and quotas (mesos.policy)
#   2  Marathon has a leader, and has the groups and apps (marathon.apps); each step ends when they run
#   3  Chronos has a leader, and has the jobs (chronos.jobs)
#
# One that fails stops the run and says why. For this run alone pillar says something else by, for example,
# pillar='{"marathon": {"apps": {"/hello": {"instances": 3}}}}'; no secrets, as Salt keeps a record of its jobs. A gate waits for 120
# seconds: pillar='{"timeout": 300}'.

{%- from "orchestration/table.jinja" import wrong, members, told, deprecations with context %}
{%- if wrong %}

The table is in order:
  test.fail_without_changes:
    - name: {{ wrong | join('\n') | json }}
    - failhard: True
{%- else %}
{{- deprecations() }}
{%- for role, step, gate, applied in (
      ('mesos-master', 'The Mesos masters have their weights and quotas', 'mesos_leader', 'mesos.policy'),
      ('marathon', 'Marathon has its groups and apps', 'marathon_leader', 'marathon.apps'),
      ('chronos', 'Chronos has its jobs', 'chronos_leader', 'chronos.jobs')) if role in members %}

{{ step }}:
  salt.state:
    - tgt: {{ members[role] | json }}
    - tgt_type: list
    - subset: 1
    - sls: [orchestration.minion.{{ gate }}, {{ applied }}]
    - pillar: {{ told | json }}
    - failhard: True
{%- endfor %}
{%- endif %}
