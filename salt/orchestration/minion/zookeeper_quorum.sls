# On a ZooKeeper server: the ensemble has a leader and a quorum.

{%- from "zookeeper/map.jinja" import zookeeper with context %}

the-ensemble-has-its-quorum:
  zk.ensemble_available:
    - timeout: {{ pillar.get('timeout', 120) }}
    - servers: {{ zookeeper.servers | json }}
    - observers: {{ zookeeper.observers | json }}
    - port: {{ zookeeper.client_port }}
