# Set up a cluster on bare minions, or apply any change to a running one. Each step ends when the
# services say that they are ready. A step that fails stops the run and says on which host, and why.
# Run it again to continue. On a cluster that is as declared it changes nothing.
#
#   salt-run -l info state.orchestrate orchestration.deploy test=True
#   salt-run -l info state.orchestrate orchestration.deploy
#
#   1  every node that responds has its roles
#   2  ZooKeeper: one step for all nodes with an entry, which restart it in turns, until the
#      ensemble has its quorum. Servers that join or leave wait for each other. Daemons of roles
#      that a node no longer has are stopped, while they still count for the quorum
#   3  the Mesos masters, one by one, until one of them leads. Those that run are first: they get a
#      higher quorum before a new one starts
#   4  the Mesos agents: one of them, the canary, and then batches, until the leader has registered
#      them
#   5  Marathon and Chronos, node by node, until they respond
#   6  everything else that the nodes' roles name (state.apply)
#   7  a node that did not respond fails the run at its end, with its name
#
# Nodes that do not respond are left out. The quorum still counts all nodes of the topology, so the
# run stops at step 2 or 3 if too few of them are left. The masters' very first start needs them
# all. Keys of pillar, with their defaults:
#
#   skip: []             nodes that are left out on purpose: ids or globs, such as lxb003*
#   tolerate_down: 25%   agents that may not respond, a number or a percentage. With more of them
#                        nothing is changed. A percentage other than 0% allows at least one
#   batch: 25%           agents in one step, a number or a percentage
#   max_failures: 0      agents of one batch that may fail before the run stops. If the canary or
#                        all of a batch fail, it stops in any case
#   timeout: 120         seconds that each readiness check waits; more on slow machines
#   cluster: NAME        the cluster, if the Salt master has several
#
#   pillar='{"skip": ["lxcc03.devops.test", "lxb003*"], "batch": 4}'

{%- from "orchestration/rollout.jinja" import closing, errors, opening, plan, roles, rollout,
      step, timeout with context %}
{{- opening() }}
{%- if not errors %}
{{- step('Every node that responds has its roles', plan.responding,
      'orchestration.minion.roles') }}
{%- for role, nodes in plan.members.items() if 'deploy' in roles[role] %}
{%- set deploy = roles[role].deploy %}
{%- if deploy.batches is defined %}
{{- rollout(deploy.name, nodes, deploy.sls) }}
{%- elif deploy.together is defined %}
{{- step(deploy.name ~ ' on all nodes listed by id, in turns', plan.listed_by_id, deploy.sls) }}
{%- else %}
{%- for node in nodes %}
{{- step(deploy.name ~ ' on ' ~ node, [node], deploy.sls) }}
{%- endfor %}
{%- endif %}
{%- if 'check' in deploy %}
{{- step(deploy.check.name, [nodes[0]], deploy.check.sls) }}
{%- endif %}
{%- endfor %}

All states are applied to every node:
  salt.state:
    - tgt: {{ plan.responding | json }}
    - tgt_type: list
    - highstate: True
    - failhard: True
{{- closing() }}
{%- endif %}
