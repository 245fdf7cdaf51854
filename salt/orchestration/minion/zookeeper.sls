# On a ZooKeeper server: the formula; then this server has joined, as soon as there are enough of them for a quorum.

{%- from "zookeeper/map.jinja" import zookeeper with context %}

include:
  - zookeeper

this-server-has-joined:
  zk.ensemble_available:
    - timeout: {{ pillar.get('timeout', 120) }}
    - servers: {{ zookeeper.servers | json }}
    - observers: {{ zookeeper.observers | json }}
    - port: {{ zookeeper.client_port }}
    - myid: {{ zookeeper.myid }}
    - require:
      - sls: zookeeper
