# On a Mesos master: wait until at least one agent is active. Without one, nothing can run.

{%- from "orchestration/timeout.jinja" import timeout with context %}

the-masters-have-agents:
  mesos.agents_registered:
    - timeout: {{ timeout }}
    - count: 1
