"""
Fake daemons of Mesos, Marathon and Chronos, whose packages are in no public repository any more.

They parse flags, elect a leader in ZooKeeper and answer HTTP as the real daemons do. The packages
of the lab start them as daemons, with agents that really run tasks; unit tests start them in the
test process::

    master = Master(["--ip=127.0.0.1", "--port=0", f"--work_dir={tmp_path}"], version="1.9.0")
    master.start()
    requests.get(master.url + "/health")
    master.stop()

``wire``      what several daemons use: HTTP, elections, how agents and frameworks reach the leading
              master (a protocol of the fakes' own), command lines, health checks
``mesos``     master and agent, their flags, tasks (``executor``, ``processes``)
``marathon``  apps, groups, pods, deployments
``chronos``   jobs and their schedule

This package must run on the Python, kazoo 2.8 and Werkzeug 2.2 of Debian 12 as well as on the
versions that pyproject.toml pins.
"""
