# More memory and connections than the defaults.
zookeeper:
  heap: 384
  options:
    maxClientCnxns: 200
    autopurge.purgeInterval: 12
