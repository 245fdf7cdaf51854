# Replace the machines of agents by new ones with the same names and addresses, in two runs. First,
# retire the old ids:
#
#   salt-run state.orchestrate orchestration.replace pillar='{"agents": ["lxb004*"]}' test=True
#   salt-run state.orchestrate orchestration.replace pillar='{"agents": ["lxb004*"]}'
#
# The last step says what to do by hand: exchange the machine and the key of its minion. Then let
# the new machine join:
#
#   salt-run state.orchestrate orchestration.replace \
#     pillar='{"agents": ["lxb004*"], "new_machine": true}'
#
# The other keys of pillar are those of orchestration.drain. A step that fails stops the run. Run it
# again to continue.

{%- from "orchestration/agents.jinja" import agents, at_once, errors, note, on_agents, opening,
      responding, retired, subject with context %}
{%- set new_machine = pillar.get('new_machine', False) %}
{%- if new_machine is not boolean %}
{%- do errors.append('new_machine = %s: should be true or false.' | format(new_machine)) %}
{%- endif %}
{%- for node in agents if new_machine and node not in responding %}
{%- do errors.append(
      '%s does not respond to Salt. Compare its fingerprint, and accept its key: '
      'salt-key -f %s && salt-key -a %s' | format(node, node, node)) %}
{%- endfor %}
{{- opening() }}
{%- for nodes in agents | batch(at_once) if not errors and new_machine %}
{{- on_agents('The roles are assigned to ' ~ nodes | join(', '), nodes,
      'orchestration.minion.roles') }}
{{- on_agents(subject(nodes) ~ ' registered under a new id', nodes,
      'orchestration.minion.mesos_slave') }}
{{- on_agents('All that the roles name is on ' ~ nodes | join(', '), nodes) }}
{%- endfor %}
{%- for nodes in agents | batch(at_once) if not errors and not new_machine %}
{{- retired(nodes) }}
{%- for node in nodes %}
{{- note('What is left to be done by hand for ' ~ node,
      '1. Delete the key of the old machine, and switch it off for good: salt-key -d %s. '
      '2. Install a minion on the new machine, with the same id and the address %s. '
      '3. Compare its fingerprint, and accept its key: salt-key -f %s && salt-key -a %s. '
      '4. Let it join: orchestration.replace with the pillar keys agents and "new_machine": true.'
      | format(node, agents[node], node, node)) }}
{%- endfor %}
{%- endfor %}
