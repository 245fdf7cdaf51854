# Remove agents for good: drain them, stop their Mesos agent, remove their id from Mesos, and say
# what is left to be deleted. An agent that is lost may be retired as well.
#
#   salt-run state.orchestrate orchestration.retire pillar='{"agents": ["lxb004*"]}' test=True
#   salt-run state.orchestrate orchestration.retire pillar='{"agents": ["lxb004*"]}'
#
# The keys of pillar are those of orchestration.drain. A step that fails stops the run. Run it again
# to continue.

{%- from "orchestration/agents.jinja" import agents, at_once, entries, errors, file, note,
      opening, retired with context %}
{{- opening() }}
{%- for nodes in agents | batch(at_once) if not errors %}
{{- retired(nodes) }}
{%- for node in nodes %}
{%- set key = 'Delete its key, before state.apply starts its Mesos agent again: salt-key -d '
      ~ node %}
{%- if node in entries %}
{{- note('What is left to be deleted of ' ~ node,
      key ~ '. Then remove its entry from ' ~ file ~ '.') }}
{%- else %}
{{- note('What is left to be deleted of ' ~ node,
      key ~ '. The topology stays as it is: its entry is a glob.') }}
{%- endif %}
{%- endfor %}
{%- endfor %}
