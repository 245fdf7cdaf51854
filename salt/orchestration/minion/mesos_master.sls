# On a Mesos master: apply the formula, then wait until this master is healthy, and for a leader
# once there are enough masters.

{%- from "mesos/map.jinja" import mesos with context %}
{%- from "orchestration/timeout.jinja" import timeout with context %}
{%- set flags = mesos.master.flags %}

include:
  - mesos.master

this-master-is-healthy:
  mesos.leader_available:
    - timeout: {{ timeout }}
    - url: {{ mesos.url | json }}
    - member: http://{{ flags.ip }}:{{ flags.port }}
    - require:
      - sls: mesos.master
