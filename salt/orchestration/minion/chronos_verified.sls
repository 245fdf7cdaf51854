# On a node with Chronos: verify that a job runs and succeeds, and remove it.
# orchestration.verify applies it.

{%- from "orchestration/timeout.jinja" import timeout with context %}

cluster-runs-chronos-tasks:
  chronos.verified:
    - name: salt-mesos-verify
    - timeout: {{ timeout }}
