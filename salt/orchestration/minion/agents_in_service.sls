# On a Mesos master: bring agents back into service. The pillar key `agents` maps their ids to their
# addresses. orchestration.undrain applies it.

agents-in-service:
  mesos.agents_in_service:
    - agents: {{ pillar.agents | json }}
