# Logs that are rotated, in the place of the journal.
docker:
  options:
    log-driver: json-file
    log-opts:
      max-size: 10m
