# On a Mesos master: take agents out of service, and wait until nothing runs on them. The pillar key
# `agents` maps their ids to their addresses. orchestration.drain applies it.

agents-out-of-service:
  mesos.agents_out_of_service:
    - agents: {{ pillar.agents | json }}
    - max_grace_period: {{ pillar.get('max_grace_period') | json }}
    - timeout: {{ pillar.get('drain_timeout', 600) | json }}
    - ignore_missing: {{ pillar.get('ignore_missing', False) | json }}
