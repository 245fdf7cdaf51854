# A cluster with a name, and logs that are kept longer.
mesos:
  log_retention: 60d
  master:
    flags:
      cluster: kitchen
      offer_timeout: 30secs
