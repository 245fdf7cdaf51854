# On a node with Marathon: one of them leads, and answers. Else nothing of what comes after this is done.

marathon-has-a-leader:
  marathon.available:
    - timeout: {{ pillar.get('timeout', 120) }}
    - failhard: True
