# On a Mesos agent: stop it for good, before its id is removed. orchestration.retire applies it.
# Only state.apply starts it again.

{%- from "mesos/map.jinja" import vendor with context %}

include:
  - common.turn

the-agent-is-stopped:
  withdrawn.stopped:
    - name: {{ vendor.slave.unit }}
    - daemons:
      - {role: mesos-slave, unit: {{ vendor.slave.unit }}}
    - mask: True
    - reason: its id is about to be removed
