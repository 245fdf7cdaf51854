# The quotas and weights that pillar declares in mesos:quotas and mesos:weights. Applied once for a
# cluster, on any node that reaches the masters: see orchestration.apps. `mesos`, which installs
# Mesos, does not include this.
#
# Try it:  salt 'lxdev01' state.apply mesos.policy test=True

{%- from "mesos/map.jinja" import mesos with context %}
{%- set quotas = dict(mesos.quotas.items() | rejectattr(1, 'none')) %}
{%- set absent_quotas = mesos.quotas.items() | selectattr(1, 'none') | map('first') | list %}

include:
  - common.validate
{%- if not mesos.weights and not mesos.quotas %}

mesos-policy-undeclared:
  test.nop:
    - name: 'mesos:quotas and mesos:weights declare nothing'
{%- endif %}
{%- if mesos.weights %}

mesos-weights:
  mesos.weights_present:
    - weights: {{ mesos.weights | json(sort_keys=False) }}
{%- endif %}
{%- if absent_quotas %}

# Before the others, since the masters guarantee no more than there is.
mesos-quotas-withdrawn:
  mesos.quota_absent:
    - names: {{ absent_quotas | json }}
{%- endif %}
{%- if quotas %}

mesos-quotas:
  mesos.quota_present:
    - names:
{%- for role, quota in quotas.items() %}
      - {{ role | json }}: [{{ quota | json(sort_keys=False) }}]
{%- endfor %}
{%- endif %}
