# Set up a cluster on bare minions. Each step ends when the services say that they are ready. A step
# that fails stops the run and says on which host, and why. Run it again to continue. On a cluster
# that is as declared it changes nothing.
#
#   salt-run -l info state.orchestrate orchestration.deploy
#
#   1  every node of the topology responds and has its roles
#   2  daemons of roles that a named node no longer has are stopped: before the others get a smaller
#      quorum, in which these would have no vote
#   3  ZooKeeper, server by server, until the ensemble has its quorum
#   4  the Mesos masters, one by one, until one of them leads
#   5  the Mesos slaves, until the leader has registered them all
#   6  Marathon and Chronos, node by node, until they respond
#   7  everything else that the nodes' roles name (state.apply)
#
# A node that is named in the topology and does not respond stops the run at step 1. To leave it
# out:
#
#   pillar='{"skip": ["lxcc03.devops.test"]}'
#
# The quorum still counts all nodes of the topology, so the run stops at step 3 or 4 if too few of
# them are left. The masters' very first start needs them all. Each check waits for 120 seconds; on
# slow machines use pillar='{"timeout": 300}'.

include:
  - orchestration.roles

{%- from "orchestration/topology.jinja" import errors, named, globs, members, roles with context %}
{%- from "orchestration/timeout.jinja" import timeout with context %}
{%- macro step(name, nodes, sls, type='list') %}

{{ name }}:
  salt.state:
    - tgt: {{ nodes }}
    - tgt_type: {{ type }}
    - sls: {{ sls }}
    - pillar: {timeout: {{ timeout }}}
    - failhard: True
{%- endmacro %}
{%- if not errors %}
{%- if named %}
{{- step('The named nodes run only the daemons of their roles', named | json, 'common.withdrawn') }}
{%- endif %}
{%- for role, nodes in members.items() if 'deploy' in roles[role] %}
{%- set deploy = roles[role].deploy %}
{%- if 'all_at_once' in deploy %}
{{- step(deploy.all_at_once, nodes | join(' or '), deploy.sls, 'compound') }}
{%- else %}
{%- for node in nodes %}
{{- step(deploy.name ~ ' on ' ~ node, node, deploy.sls) }}
{%- endfor %}
{%- endif %}
{%- if 'check' in deploy %}
{{- step(deploy.check.name, nodes[0], deploy.check.sls) }}
{%- endif %}
{%- endfor %}

Every node has all that its roles name:
  salt.state:
    - tgt: {{ (named + globs) | join(' or ') }}
    - tgt_type: compound
    - highstate: True
    - failhard: True
{%- endif %}
