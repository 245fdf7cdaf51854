# Who is told what. Minion ids only, never grains: a minion can claim any grain, and would be told the secrets that go with it.
# What stands below wins: settings over what follows from the table.

base:
  '*':
    - topology
    - settings
