# On a Mesos master: one of them leads, and has recovered its registry. Else nothing of what comes after this is done.

the-masters-have-a-leader:
  mesos.leader_available:
    - timeout: {{ pillar.get('timeout', 120) }}
    - failhard: True
