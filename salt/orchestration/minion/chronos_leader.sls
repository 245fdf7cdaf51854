# On a node with Chronos: one of them leads, and answers. Else nothing of what comes after this is done.

chronos-has-a-leader:
  chronos.available:
    - timeout: {{ pillar.get('timeout', 120) }}
    - failhard: True
