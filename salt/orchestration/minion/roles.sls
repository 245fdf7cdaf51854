# On a minion: the grain `roles` as the table has it, and the modules and states of this tree.
# Run by orchestration.roles; by hand:  salt 'lxcc01*' state.apply orchestration.minion.roles

{%- set faults = salt['slsutil.renderer']('salt://common/faults.py', default_renderer='py', stamping=True) %}
{%- set row = pillar.get('topology', {}) %}
{%- if faults or not row %}

roles-refused:
  test.fail_without_changes:
    - name: {{ (faults or ['pillar/topology.yaml names no node: the roles of this one are not known.']) | join('\n') | json }}
{%- else %}
{%- if not opts.get('test') %}

modules-and-states:
  saltutil.sync_all: []
{%- endif %}

roles:
  grains.present:
    - name: roles
    - value: {{ row.roles | json }}
    - force: True
{%- endif %}
