# Give every minion of the table its roles, and the modules and states of this tree.
#
#   salt-run state.orchestrate orchestration.roles
#
# A node that is named in the table and does not answer stops the run, with its name. What changes is the grain `roles`; nothing else is touched.

{%- from "orchestration/table.jinja" import wrong, named, globs, deprecations with context %}
{%- if wrong %}

The table is in order:
  test.fail_without_changes:
    - name: {{ wrong | join('\n') | json }}
    - failhard: True
{%- else %}
{{- deprecations() }}
{%- if named %}

Every named node answers and knows its roles:
  salt.state:
    - tgt: {{ named | json }}
    - tgt_type: list
    - sls: orchestration.minion.roles
    - failhard: True
{%- endif %}
{%- for glob in globs %}

The nodes called {{ glob }} know their roles:
  salt.state:
    - tgt: '{{ glob }}'
    - sls: orchestration.minion.roles
    - failhard: True
{%- endfor %}
{%- endif %}
