# On a minion: give the grain `roles` the roles that the topology assigns, and sync the modules and
# states of this tree. Values of the grain that are not in formulas/common/roles.yaml stay.
# orchestration.roles applies it. By hand:  salt 'lxcc01*' state.apply orchestration.minion.roles

{%- set tree = salt['slsutil.renderer']('salt://common/tree.py') %}
{%- set errors = tree.run('common/validation.py', ignore_roles=True) %}
{%- set topology = pillar.get('topology', {}) %}
{%- if errors or not topology %}

roles-refused:
  test.fail_without_changes:
    - name: {{ (errors or ['pillar/topology.yaml names no node, so the roles of this one are unknown.']) | join('\n') | json }}
{%- else %}
{%- if not opts.get('test') %}

modules-and-states:
  saltutil.sync_all: []
{%- endif %}

roles:
  grains.present:
    - name: roles
    - value: {{ (tree.node.unknown_roles + topology.roles) | json }}
    - force: True
{%- endif %}
