# Take agents out of service: their tasks move to other agents, and no new ones come. They stay so
# until orchestration.undrain, also over restarts and each state.apply, which does not restart
# their Mesos agent or dockerd during that time.
#
#   salt-run state.orchestrate orchestration.drain pillar='{"agents": ["lxb001*"]}' test=True
#   salt-run state.orchestrate orchestration.drain pillar='{"agents": ["lxb001*"]}'
#
# More keys of pillar:
#
#   at_once: 2               agents at a time, default 1
#   timeout: 1800            seconds until nothing may run on an agent any more, default 600
#   max_grace_period: 10m    how long a task may take to end. Default: its own grace period
#
# Before Mesos 1.9, which cannot drain, a maintenance window of the machines begins. Whether the
# tasks move then depends on the frameworks.
#
# A step that fails stops the run, and lists the tasks that still run. Run it again to continue.

{%- from "orchestration/agents.jinja" import agents, at_once, drained, errors, opening
      with context %}
{{- opening() }}
{%- for nodes in agents | batch(at_once) if not errors %}
{{- drained(nodes) }}
{%- endfor %}
