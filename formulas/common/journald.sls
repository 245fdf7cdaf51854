# Logs that survive a reboot.

{%- from "common/map.jinja" import common with context %}

journald-config:
  file.managed:
    - name: /etc/systemd/journald.conf.d/salt.conf
    - source: salt://common/files/journald.conf
    - template: jinja
    - reads: [salt://common/formats.jinja]
    - context:
        journald: {{ common.journald | json }}
    - user: root
    - group: root
    - mode: '0644'
    - makedirs: True

# systemd keeps the streams of running services open, so nothing else restarts. Not service.running:
# journald always runs, and checking it would start a process in every run.
journald-restart:
  cmd.run:
    - name: systemctl restart systemd-journald
    - onchanges:
      - file: journald-config
