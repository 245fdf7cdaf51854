# Assign the roles of the topology to every minion, and sync the modules and states of this tree.
# Nothing else changes: roles are the grain `roles`.
#
#   salt-run state.orchestrate orchestration.roles test=True
#   salt-run state.orchestrate orchestration.roles
#
# A node that is named in the topology and does not respond stops the run, with its name.

{%- from "orchestration/topology.jinja" import errors, named, globs, opening with context %}
{{- opening() }}
{%- if not errors %}
{%- if named %}

Every named node responds and has its roles:
  salt.state:
    - tgt: {{ named | json }}
    - tgt_type: list
    - sls: orchestration.minion.roles
    - failhard: True
{%- endif %}
{%- for glob in globs %}

The nodes {{ glob }} have their roles:
  salt.state:
    - tgt: '{{ glob }}'
    - sls: orchestration.minion.roles
    - failhard: True
{%- endfor %}
{%- endif %}
