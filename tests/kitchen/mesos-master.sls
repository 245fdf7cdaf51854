# A master that has a name, and keeps its logs longer.
mesos:
  log_retention: 60d
  master:
    flags:
      cluster: kitchen
      offer_timeout: 30secs
