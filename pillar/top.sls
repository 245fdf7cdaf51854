# Which minion gets which pillar. Target by minion id and never by grain: a minion can claim any
# grain, and would get the secrets that go with it. Later files take precedence: settings over what
# is derived from the topology. topology.sls adds the secrets of a node's roles, see SECURITY.md.

base:
  '*':
    - topology
  # Orchestrations, whose id ends like this, get only the topology and the pillar of their command
  # line.
  'not *_master':
    - match: compound
    - settings
  # The nodes that apply apps, jobs, quotas and weights: those with a Mesos master, Marathon or
  # Chronos.
  'lxcc*.devops.test':
    - apps
  lxdev01:
    - apps
