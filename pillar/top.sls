# Who is told what. Minion ids only, never grains: a minion can claim any grain, and would be told the secrets that go with it.
# What stands below wins: settings over what follows from the table.

base:
  '*':
    - topology
  # Runbooks, whose id ends like this, are told the table, and what their command line says.
  'not *_master':
    - match: compound
    - settings
  # Who brings the apps, jobs, quotas and weights to the cluster: nodes with a master, Marathon or Chronos. Agents need none of it.
  'lxcc*.devops.test':
    - apps
  lxdev01:
    - apps
