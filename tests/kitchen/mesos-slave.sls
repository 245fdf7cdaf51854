# An agent that says what it is and offers what it is told to.
mesos:
  slave:
    flags:
      isolation: cgroups/cpu,cgroups/mem
    attributes:
      rack: r1
    resources:
      cpus: 1
      mem: 512
