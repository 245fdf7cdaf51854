# Generation 3: Marathon itself reads options from variables, and an upgrade leaves it stopped.
marathon:
  version: 1.8.244
  options:
    framework_name: marathon kitchen
    task_launch_timeout: 300000
