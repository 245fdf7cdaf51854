# Options in variables that the launcher reads; the package starts Marathon when it is installed.
marathon:
  version: 1.5.15
  options:
    framework_name: marathon kitchen
    task_launch_timeout: 300000
