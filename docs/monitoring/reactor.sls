{#- An example of a reaction to the events of the beacon mesos_cluster: a line in the system's log.
    Replace the command by one that sends a mail or calls a web service. The text is in variables,
    as it contains names that others have chosen. -#}
{%- set outcome = 'failed' if '/problem/' in tag else 'solved' %}

report-the-event:
  local.cmd.run:
    - tgt: {{ data.id | json }}
    - kwarg:
        cmd: logger -t mesos-cluster -- "$OUTCOME $SEVERITY $KIND $SUBJECT, $MESSAGE"
        python_shell: True
        env:
          OUTCOME: {{ outcome | json }}
          SEVERITY: {{ data.severity | json }}
          KIND: {{ data.kind | json }}
          SUBJECT: {{ data.subject | json }}
          MESSAGE: {{ data.message | json }}
