# On a Mesos master: wait for a leader that has recovered its registry. Without one, nothing that
# follows is applied.

{%- from "orchestration/timeout.jinja" import timeout with context %}

the-masters-have-a-leader:
  mesos.leader_available:
    - timeout: {{ timeout }}
    - failhard: True
