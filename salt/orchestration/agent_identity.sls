# Apply settings that agents do not survive under their id: another attribute, fewer resources,
# another host name, port or domain. An agent that would refuse to start is drained and stopped,
# loses the link to what it has checkpointed and nothing else, and registers under a new id. All
# others are set up as by state.apply.
#
#   salt-run state.orchestrate orchestration.agent_identity pillar='{"agents": ["lxb*"]}' test=True
#   salt-run state.orchestrate orchestration.agent_identity pillar='{"agents": ["lxb*"]}'
#
# More keys of pillar:
#
#   at_once: 2               agents at a time, default 1
#   max_grace_period: 10m    how long a task may take to end. Default: its own grace period
#   drain_timeout: 1800      seconds that an agent may take to drain, default 600
#   drain: false             do not drain; the tasks are lost. Mesos before 1.9 cannot drain
#   timeout: 300             seconds until an agent has to be registered again, default 120
#
# A step that fails stops the run and says why. Run it again to continue: an agent that can start
# under its id is not touched.

{%- from "orchestration/topology.jinja" import errors, node_pillar, nodes as entries, opening
      with context %}
{%- set agents = pillar.get('agents', []) %}
{%- set agents = [agents] if agents is string else agents %}
{%- set at_once = pillar.get('at_once', 1) %}
{%- if not agents %}
{%- do errors.append('agents: should be a list of agents, ids or globs. Example: ["lxb*.devops.test"].') %}
{%- endif %}
{%- if at_once is not number or at_once < 1 %}
{%- do errors.append('at_once = %s: should be a number of agents, 1 or more.' | format(at_once)) %}
{%- endif %}
{%- set options = dict(node_pillar.items() | rejectattr(0, 'in', ['agents', 'at_once'])) %}
{%- macro step(name, targets) %}

{{ name }}:
  salt.state:
    - tgt: {{ '( %s ) and ( %s ) and G@roles:mesos-slave'
              | format(targets | join(' or '), entries | join(' or ')) | json }}
    - tgt_type: compound
    - sls: orchestration.minion.agent_identity
    - pillar: {{ options | json }}
    - failhard: True
{%- endmacro %}
{{- opening() }}
{%- if not errors %}
{#- A step for named nodes fails if one of them does not respond; a batch leaves it out. #}
{%- for nodes in agents | reject('match', '.*[*?\\[]') | batch(at_once) %}
{{- step(nodes | join(', ') ~ ' can start with their settings', nodes) }}
{%- endfor %}
{%- for glob in agents | select('match', '.*[*?\\[]') %}
{{- step('The agents ' ~ glob ~ ' can start with their settings', [glob]) }}
    - batch: {{ at_once }}
{%- endfor %}
{%- endif %}
