# On a Mesos agent: apply the formula. If the agent would refuse to start with its settings, first
# drain it, stop it and remove the link to its checkpoint, so that it registers under a new id. Then
# wait until the leading master lists it as active.
#
# orchestration.agent_identity applies it. On one node:
#
#   salt 'lxb001*' state.apply orchestration.minion.agent_identity test=True

{%- from "mesos/map.jinja" import mesos, tree, vendor with context %}
{%- from "orchestration/timeout.jinja" import timeout with context %}
{%- set plan = tree.run('mesos/plan.py', settings=mesos, daemon='slave', roles=tree.node.roles) %}

include:
{%- if 'docker' in tree.node.roles %}
  - docker
{%- endif %}
  - mesos.slave

mesos-slave-new-id:
{%- if plan.identity %}
  mesos.agent_identity_removed:
{%- for argument, value in plan.identity | dictsort %}
    - {{ argument }}: {{ value | json }}
{%- endfor %}
    - unit: {{ vendor.slave.unit }}
    - drain: {{ pillar.get('drain', True) }}
    - max_grace_period: {{ pillar.get('max_grace_period') | json }}
    - timeout: {{ pillar.get('drain_timeout', 600) | json }}
    - require:
      - pkg: mesos-package
    # The formula checks that the agent keeps its id, and must find none.
    - require_in:
      - mesos: mesos-slave-identity
{%- else %}
  test.fail_without_changes:
    - name: >-
        mesos:slave:flags: with the flag hooks, or without work_dir, only the agent knows whether it
        keeps its id.
    - failhard: True
{%- endif %}

this-agent-is-registered:
  mesos.agents_registered:
    - timeout: {{ timeout }}
    - agents:
      - {{ mesos.slave.flags.hostname | default(grains.id, true) }}
    - require:
      - sls: mesos.slave
