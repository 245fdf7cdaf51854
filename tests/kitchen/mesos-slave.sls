# An agent with attributes, resources and isolation.
mesos:
  slave:
    flags:
      isolation: cgroups/cpu,cgroups/mem
    attributes:
      rack: r1
    resources:
      cpus: 1
      mem: 512
