# On a Mesos master: the formula; then this master is healthy, and there is a leader as soon as there are enough masters for one.

{%- from "mesos/map.jinja" import mesos with context %}
{%- set flags = mesos.master.flags %}

include:
  - mesos.master

this-master-is-healthy:
  mesos.leader_available:
    - timeout: {{ pillar.get('timeout', 120) }}
    - url: {{ mesos.url | json }}
    - member: http://{{ flags.ip }}:{{ flags.port }}
    - require:
      - sls: mesos.master
