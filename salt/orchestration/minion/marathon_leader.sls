# On a node with Marathon: wait for a leader. Without one, nothing that follows is applied.

{%- from "orchestration/timeout.jinja" import timeout with context %}

marathon-has-a-leader:
  marathon.available:
    - timeout: {{ timeout }}
    - failhard: True
