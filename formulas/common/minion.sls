# What every minion of the Salt master gets.
#
#   common.validate     on a node: stops rendering for wrong settings, roles and operating systems
#   common.withdrawn    on a node: stops the daemons of roles that were withdrawn
#
# A minion for which no topology has an entry belongs to others and is left alone, unless its grain
# `roles` has a role of nodes: then its entry is missing, and common.validate refuses it.

{%- set is_foreign = false %}
{%- if salt['pillar.get']('topology:foreign') %}
{%- set is_foreign = not salt['slsutil.renderer']('salt://common/tree.py').node.roles %}
{%- endif %}
{%- if is_foreign %}

foreign-minion:
  test.nop:
    - name: {{ salt['pillar.get']('topology:errors')[-1][2] | json }}
{%- else %}

include:
  - common.validate
  - common.withdrawn
{%- endif %}
