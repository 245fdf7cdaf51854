# On a node with Chronos: wait for a leader. Without one, nothing that follows is applied.

{%- from "orchestration/timeout.jinja" import timeout with context %}

chronos-has-a-leader:
  chronos.available:
    - timeout: {{ timeout }}
    - failhard: True
