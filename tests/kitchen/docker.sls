# Logs in files that are rotated, not in the journal.
docker:
  options:
    log-driver: json-file
    log-opts:
      max-size: 10m
