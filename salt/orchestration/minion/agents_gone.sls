# On a Mesos master: remove agents that are out of service permanently. The pillar key `agents` maps
# their ids to their addresses. orchestration.retire applies it.

agents-gone:
  mesos.agents_gone:
    - agents: {{ pillar.agents | json }}
    - confirm: True
