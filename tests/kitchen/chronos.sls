# Chronos with another name in the list of frameworks.
chronos:
  java_opts: -Xmx384m
  options:
    mesos_framework_name: chronos kitchen
