# The default version of the formula.
marathon:
  java_opts: -Xmx384m
  options:
    framework_name: marathon kitchen
    task_launch_timeout: 300000
