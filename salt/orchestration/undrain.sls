# Bring agents back into service, however they were taken out of it: drained, deactivated, or in
# maintenance. Then apply their states, which carries out the restarts that they owe.
#
#   salt-run state.orchestrate orchestration.undrain pillar='{"agents": ["lxb001*"]}' test=True
#   salt-run state.orchestrate orchestration.undrain pillar='{"agents": ["lxb001*"]}'
#
# `at_once` agents at a time, default 1. A step that fails stops the run. Run it again to continue.

{%- from "orchestration/agents.jinja" import agents, at_once, errors, note, on_agents, on_master,
      opening, responding, subject with context %}
{{- opening() }}
{%- for nodes in agents | batch(at_once) if not errors %}
{{- on_master(subject(nodes) ~ ' in service', 'orchestration.minion.agents_in_service', nodes) }}
{%- for node in nodes if node in responding %}
{{- on_agents(node ~ ' has all that its roles name', [node], options={'in_service': true}) }}
{%- endfor %}
{%- for node in nodes if node not in responding %}
{{- note(node ~ ' does not respond to Salt',
      'Its states were not applied. When it answers: salt %s state.apply' | format(node)) }}
{%- endfor %}
{%- endfor %}
