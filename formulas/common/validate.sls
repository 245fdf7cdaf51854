# Stop rendering for settings that do not exist, for unknown roles, and for anything but EL.
#
# common/validation.py finds the errors. Only the renderer pyobjects can stop without a traceback
# around the message, and loading it takes two seconds. So it is in a file of its own,
# common.invalid, which is included if there are errors.

{%- set tree = salt['slsutil.renderer']('salt://common/tree.py') %}
{%- set result = tree.run('common/validation.py', details=True) %}
{%- if result.errors %}

include:
  - common.invalid
{%- else %}

settings-are-known:
  test.nop:
    - name: 'roles: {{ tree.node.roles | join(", ") or "none" }}'
{%- if result.deprecated %}

settings-are-deprecated:
  test.configurable_test_state:
    - name: 'pillar has settings by their old names'
    - changes: False
    - warnings:
{%- for old, new in result.deprecated.items() %}
      - {{ old }} is deprecated. Use {{ new }} instead.
{%- endfor %}
{%- endif %}
{%- endif %}
