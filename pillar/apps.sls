# What runs on this cluster, and the quotas and weights of roles. Only the control nodes get this
# file (top.sls), and one of them applies it:
#
#   salt-run state.orchestrate orchestration.apps test=True    shows what would change
#   salt-run state.orchestrate orchestration.apps              changes it
#
# Replace these examples. What is no longer declared stays on the cluster, where others may run
# things as well; `NAME: null` removes it. Put passwords in secrets.sls, at the same place:
# `marathon: {apps: {/hello: {env: {TOKEN: ...}}}}`. Quote text that YAML takes for something else:
# yes and on are true, 1.10 is 1.1, 0644 is 644, and 22:22 is 1342.

marathon:
  apps:
    # A command.
    /hello:
      cmd: while true; do echo "$GREETING from $HOST"; sleep 10; done
      env:
        GREETING: hello
      cpus: 0.1
      mem: 32
      instances: 2
    # A container with a port. A definition may be a file in JSON or YAML: this one is in salt/apps.
    /http-server: salt://apps/http-server.json

chronos:
  jobs:
    # Every hour, from now on.
    hello:
      command: echo hello
      schedule: R//PT1H
      cpus: 0.1
      mem: 32
    # After each successful run of hello.
    hello-again:
      command: echo hello again
      parents: [hello]
      cpus: 0.1
      mem: 32

# Two roles: web always gets half a CPU, and of what is left four times as much as batch.
mesos:
  quotas:
    web:
      guarantees: {cpus: 0.5, mem: 256}
      limits: {cpus: 2, mem: 2048}
  weights:
    web: 2
    batch: 0.5
