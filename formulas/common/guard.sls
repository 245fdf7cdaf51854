# Refuse to render for settings that do not exist, for unknown roles and for anything but EL.
#
# common/faults.py finds what is wrong. Only pyobjects can refuse without a traceback around the message, and it takes two
# seconds to load: therefore common.refuse is a file of its own, included when there is something to refuse.

{%- set roles = grains.get('roles') or 'none' %}
{%- set faults = salt['slsutil.renderer']('salt://common/faults.py', default_renderer='py') %}
{%- if faults %}

include:
  - common.refuse
{%- else %}

settings-are-known:
  test.nop:
    - name: 'roles: {{ roles if roles is string else roles | join(", ") }}'
{%- endif %}
