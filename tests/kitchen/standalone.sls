# A cluster on one machine, with little memory for each daemon.
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
