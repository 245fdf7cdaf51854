# Who may have how much of the cluster, as pillar declares it in mesos:weights and mesos:quotas, brought to the masters: once for a
# cluster, on any node that reaches them (orchestration.apps sees to that). No part of `mesos`, which installs it.
#
# Try it:  salt 'lxdev01' state.apply mesos.policy test=True

{%- from "mesos/map.jinja" import mesos with context %}
{%- set quotas = dict(mesos.quotas.items() | rejectattr(1, 'none')) %}
{%- set no_quotas = mesos.quotas.items() | selectattr(1, 'none') | map('first') | list %}

include:
  - common.guard
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
{%- if no_quotas %}

# Before the others: the masters guarantee no more than they have.
mesos-quotas-withdrawn:
  mesos.quota_absent:
    - names: {{ no_quotas | json }}
{%- endif %}
{%- if quotas %}

mesos-quotas:
  mesos.quota_present:
    - names:
{%- for role, quota in quotas.items() %}
      - {{ role | json }}: [{{ quota | json(sort_keys=False) }}]
{%- endfor %}
{%- endif %}
