# Bring to the cluster what pillar declares: quotas and weights, groups and apps, jobs. Each step
# runs once, on any node with the role that responds. Where nothing is declared, nothing changes.
#
#   salt-run state.orchestrate orchestration.apps test=True
#   salt-run state.orchestrate orchestration.apps
#
#   1  the Mesos masters have a leader, and get the weights and quotas (mesos.policy)
#   2  Marathon has a leader, and gets the groups and apps (marathon.apps). The step ends when they
#      run
#   3  Chronos has a leader, and gets the jobs (chronos.jobs)
#
# A step that fails stops the run and says why. A node that is off delays each step by the timeouts
# of the Salt master. To leave it out:
#
#   pillar='{"skip": ["lxcc03.devops.test"]}'
#
# Other keys of pillar count for this run, such as pillar='{"marathon": {"apps": {"/hello":
# {"instances": 3}}}}'. No secrets: Salt keeps a record of its jobs. Each check waits for 120
# seconds: pillar='{"timeout": 300}'.

{%- from "orchestration/topology.jinja" import errors, members, node_pillar, opening, roles with context %}
{{- opening() }}
{%- for role, nodes in members.items() if not errors and 'declared' in roles[role] %}

{{ roles[role].declared.name }}:
  salt.state:
    - tgt: {{ nodes | json }}
    - tgt_type: list
    - subset: 1
    - sls: {{ roles[role].declared.sls | json }}
    - pillar: {{ node_pillar | json }}
    - failhard: True
{%- endfor %}
