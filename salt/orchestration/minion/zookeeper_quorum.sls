# On a ZooKeeper server: wait until the ensemble has a leader and a quorum.

{%- from "zookeeper/map.jinja" import zookeeper with context %}
{%- from "orchestration/timeout.jinja" import timeout with context %}

the-ensemble-has-its-quorum:
  zk.ensemble_available:
    - timeout: {{ timeout }}
    - servers: {{ zookeeper.servers | json }}
    - observers: {{ zookeeper.observers | json }}
    - port: {{ zookeeper.client_port }}
