# On a node with Marathon: verify that an app runs and answers, and remove it.
# orchestration.verify applies it.

{%- from "orchestration/timeout.jinja" import timeout with context %}

cluster-runs-marathon-tasks:
  marathon.verified:
    - name: /salt-mesos-verify/app
    - timeout: {{ timeout }}
