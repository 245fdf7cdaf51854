# Kernel parameters, in one file that systemd-sysctl also reads at boot.

{%- from "common/map.jinja" import common with context %}

sysctl-config:
  file.managed:
    - name: /etc/sysctl.d/90-mesos.conf
    - source: salt://common/files/sysctl.conf
    - template: jinja
    - reads: [salt://common/formats.jinja]
    - context:
        sysctl: {{ common.sysctl | json }}
    - user: root
    - group: root
    - mode: '0644'

# The program that applies the file at boot, for the same result. If a parameter belongs to the host
# of a container with a read-only /proc/sys, a recent version reports it and continues; sysctl(8)
# would fail.
sysctl-apply:
  cmd.run:
    - name: /usr/lib/systemd/systemd-sysctl /etc/sysctl.d/90-mesos.conf
    - onchanges:
      - file: sysctl-config
