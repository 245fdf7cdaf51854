"""Stand-ins for the daemons of Mesos, Marathon and Chronos, whose packages no public repository has any more.

They parse flags, elect a leader in ZooKeeper and answer HTTP as the real ones do. The lab's packages
start them as daemons, whose agents really run tasks, unit tests start them in the test process::

    master = Master(["--ip=127.0.0.1", "--port=0", f"--work_dir={tmp_path}"], version="1.9.0")
    master.start()
    requests.get(master.url + "/health")
    master.stop()

``http``      routes and a server        ``election``  who leads, in ZooKeeper or in memory
``flags``     flags of Mesos             ``scallop``   options of Marathon and Chronos
``executor``  tasks that pretend      ``processes`` tasks that run
``peers``     how agents and frameworks reach the leading master (a protocol of the stand-ins' own)

This package must run on the Python, kazoo 2.8 and Werkzeug 2.2 of Debian 12 as well as on what pyproject.toml pins.
"""
