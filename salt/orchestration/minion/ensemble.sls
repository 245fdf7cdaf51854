# On a node with an entry in the topology: stop the daemons of roles that it no longer has, and
# apply ZooKeeper if it has that role. To be applied to all of these nodes at the same time: servers
# that join or leave an ensemble wait for each other.

{%- set tree = salt['slsutil.renderer']('salt://common/tree.py') %}

include:
  - common.withdrawn
{%- if 'zookeeper' in tree.node.roles %}
  - orchestration.minion.zookeeper
{%- endif %}
