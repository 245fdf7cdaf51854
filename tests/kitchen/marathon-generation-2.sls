# Generation 2: the launcher reads options from variables, and installing the package starts
# Marathon.
marathon:
  version: 1.5.15
  options:
    framework_name: marathon kitchen
    task_launch_timeout: 300000
