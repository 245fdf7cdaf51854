# Generation 1: Marathon reads options from files below /etc/marathon/conf.
marathon:
  version: 1.4.13
  options:
    framework_name: marathon kitchen
    task_launch_timeout: 300000
