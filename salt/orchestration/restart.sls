# Restart daemons, and change nothing else: those of a role, or those that are older than a file or
# a package that they use. The nodes take turns, as with state.apply: one control node at a time,
# the leader last, and `common:restarts:max_unavailable` agents. Where dockerd restarts, the agent
# is drained first. Each daemon has to be ready before the next node begins. A daemon that does not
# run is started.
#
#   salt-run state.orchestrate orchestration.restart test=True
#   salt-run state.orchestrate orchestration.restart
#   salt-run state.orchestrate orchestration.restart pillar='{"role": "marathon"}'
#
#   1  the control nodes, whose turns decide the order
#   2  one agent, the canary, and then the other agents in batches
#   3  a node that did not respond fails the run at its end, with its name
#
# A step that fails stops the run, and says on which host and why. To continue without restarting
# again what has been restarted, repeat the command with the key `since` that the first step names.
# Without a role, repeat the command as it was. Keys of pillar:
#
#   role: marathon       a role, or a list of roles. Default: whatever is stale, of all roles
#   since: '2030-01-01T03:00:00Z'   restart what has started earlier. Default: now. The clocks of
#                        the nodes have to agree with that of the Salt master
#
# and skip, tolerate_down, batch, max_failures and timeout, as for orchestration.deploy.

{%- set options = ['role', 'since'] %}
{%- from "orchestration/rollout.jinja" import closing, errors, opening, plan, roles, rollout,
      step, tree with context %}
{%- if not errors %}
{%- set restart = tree.run('orchestration/restart.py', pillar=pillar, members=plan.members,
      roles=roles) %}
{%- do errors.extend(restart.errors) %}
{%- endif %}
{{- opening() }}
{%- if not errors %}
{%- if restart.since is not none %}

Daemons that have run since before {{ restart.since_text }} are restarted:
  test.configurable_test_state:
    - changes: False
    - comment: {{ 'To continue after a failure, add "since": "%s" to pillar.'
                  | format(restart.since_text) | json }}
{%- endif %}
{%- set node_options = {'restart': dict(roles=restart.roles, since=restart.since)} %}
{%- set control_nodes, control_roles, agents, agent_roles = [], [], [], [] %}
{%- for role in restart.roles %}
{%- for node in plan.members[role] %}
{%- if node in plan.control_nodes %}
{%- do control_nodes.append(node) %}
{%- do control_roles.append(role) %}
{%- else %}
{%- do agents.append(node) %}
{%- do agent_roles.append(role) %}
{%- endif %}
{%- endfor %}
{%- endfor %}
{#- "Restart of zookeeper, marathon on lxb001". -#}
{%- macro subject(names) -%}
Restart of {{ 'stale daemons' if restart.since is none else names | unique | join(', ') }}
{%- endmacro %}
{%- set sls = 'orchestration.minion.restarted' %}
{%- if control_nodes %}
{{- step(subject(control_roles) ~ ' on the control nodes, in turns',
      control_nodes | unique | list, sls, node_options) }}
{%- endif %}
{%- if agents %}
{{- rollout(subject(agent_roles), agents | unique | list, sls, node_options) }}
{%- endif %}
{{- closing() }}
{%- endif %}
