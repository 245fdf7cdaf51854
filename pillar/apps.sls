# What runs on this cluster, and who may have how much of it. Told to the control nodes alone (top.sls), and applied once for all of them:
#
#   salt-run state.orchestrate orchestration.apps test=True    what would change
#   salt-run state.orchestrate orchestration.apps              does it
#
# These are examples, to be replaced by yours. What is no longer declared stays on the cluster, as others may have put things there, too;
# `NAME: null` takes it away. A password goes into secrets.sls, at the same place: `marathon: {apps: {/hello: {env: {TOKEN: ...}}}}`.
# Quotes keep text what it is: YAML takes yes and on for true, 1.10 for 1.1, 0644 for 644 and 22:22 for 1342.

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
    # A container with a port. A definition may be a file, in JSON or YAML: this one lies in salt/apps.
    /http-server: salt://apps/http-server.json

chronos:
  jobs:
    # Every hour, beginning now.
    hello:
      command: echo hello
      schedule: R//PT1H
      cpus: 0.1
      mem: 32
    # After each run of hello that went well.
    hello-again:
      command: echo hello again
      parents: [hello]
      cpus: 0.1
      mem: 32

# Two roles: web gets half a processor whatever others want, and of all the rest four times what batch gets.
mesos:
  quotas:
    web:
      guarantees: {cpus: 0.5, mem: 256}
      limits: {cpus: 2, mem: 2048}
  weights:
    web: 2
    batch: 0.5
