# From bare minions to a cluster, in order. Each step ends when the services themselves say that it is done; one that fails stops the run
# and says on which host and why. Repeated, it goes on from there; on a cluster that is as declared it changes nothing.
#
#   salt-run -l info state.orchestrate orchestration.deploy
#
#   1  every node of the table answers, and knows its roles
#   2  ZooKeeper, server by server, until the ensemble has its quorum
#   3  the Mesos masters, one by one, until one of them leads
#   4  the Mesos slaves, until the leader counts them all
#   5  Marathon and Chronos, node by node, until they answer
#   6  whatever else the nodes are to have (state.apply)
#
# A named node that does not answer stops it at step 1. To go on without: pillar='{"skip": ["lxcc03.devops.test"]}'. The quorum stays
# what it is for all nodes of the table, so with too few of them the run stops at step 2 or 3; the masters' very first start needs them
# all. A gate waits for 120 seconds: pillar='{"timeout": 300}' where machines are slow.

include:
  - orchestration.roles

{%- from "orchestration/table.jinja" import wrong, named, globs, members, timeout with context %}
{%- if not wrong %}
{%- for node in members.get('zookeeper', []) %}

ZooKeeper on {{ node }}:
  salt.state:
    - tgt: {{ node }}
    - tgt_type: list
    - sls: orchestration.minion.zookeeper
    - pillar: {timeout: {{ timeout }}}
    - failhard: True
{%- endfor %}
{%- for node in members.get('zookeeper', [])[:1] %}

ZooKeeper has its quorum:
  salt.state:
    - tgt: {{ node }}
    - tgt_type: list
    - sls: orchestration.minion.zookeeper_quorum
    - pillar: {timeout: {{ timeout }}}
    - failhard: True
{%- endfor %}
{%- for node in members.get('mesos-master', []) %}

Mesos master on {{ node }}:
  salt.state:
    - tgt: {{ node }}
    - tgt_type: list
    - sls: orchestration.minion.mesos_master
    - pillar: {timeout: {{ timeout }}}
    - failhard: True
{%- endfor %}
{%- for node in members.get('mesos-master', [])[:1] %}

The Mesos masters have a leader:
  salt.state:
    - tgt: {{ node }}
    - tgt_type: list
    - sls: orchestration.minion.mesos_leader
    - pillar: {timeout: {{ timeout }}}
    - failhard: True
{%- endfor %}
{%- if 'mesos-slave' in members %}

The Mesos slaves are registered:
  salt.state:
    - tgt: {{ members['mesos-slave'] | join(' or ') }}
    - tgt_type: compound
    - sls: orchestration.minion.mesos_slave
    - pillar: {timeout: {{ timeout }}}
    - failhard: True
{%- endif %}
{%- for node in members.get('marathon', []) %}

Marathon on {{ node }}:
  salt.state:
    - tgt: {{ node }}
    - tgt_type: list
    - sls: orchestration.minion.marathon
    - pillar: {timeout: {{ timeout }}}
    - failhard: True
{%- endfor %}
{%- for node in members.get('chronos', []) %}

Chronos on {{ node }}:
  salt.state:
    - tgt: {{ node }}
    - tgt_type: list
    - sls: orchestration.minion.chronos
    - pillar: {timeout: {{ timeout }}}
    - failhard: True
{%- endfor %}

Every node has all that its roles name:
  salt.state:
    - tgt: {{ (named + globs) | join(' or ') }}
    - tgt_type: compound
    - highstate: True
    - failhard: True
{%- endif %}
