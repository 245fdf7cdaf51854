# On a Mesos master: one of them leads, and has recovered its registry.

the-masters-have-a-leader:
  mesos.leader_available:
    - timeout: {{ pillar.get('patience', 120) }}
