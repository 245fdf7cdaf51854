# Options in variables that Marathon itself reads; an upgrade would leave it stopped.
marathon:
  version: 1.8.244
  options:
    framework_name: marathon kitchen
    task_launch_timeout: 300000
