# A cluster on one machine. What a laptop has to spare goes to each a little.
common:
  firewall:
    clients:
      - 10.0.0.0/8
zookeeper:
  heap: 256
mesos:
  master:
    flags:
      cluster: standalone
marathon:
  java_opts: -Xmx384m
chronos:
  java_opts: -Xmx384m
