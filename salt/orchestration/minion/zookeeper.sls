# On a ZooKeeper server: apply the formula, then wait until this server is a member, once there are
# enough of them for a quorum.

{%- from "zookeeper/map.jinja" import zookeeper with context %}
{%- from "orchestration/timeout.jinja" import timeout with context %}

include:
  - zookeeper

this-server-has-joined:
  zk.ensemble_available:
    - timeout: {{ timeout }}
    - servers: {{ zookeeper.servers | json }}
    - observers: {{ zookeeper.observers | json }}
    - port: {{ zookeeper.client_port }}
    - myid: {{ zookeeper.myid }}
    - require:
      - sls: zookeeper
