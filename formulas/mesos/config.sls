# What both daemons read, and how long their logs are kept. After the package: rpm would leave
# earlier files alone and put its own beside them (.rpmnew).

{%- from "mesos/map.jinja" import mesos, vendor with context %}
{%- set log_directories = [mesos.master.flags.log_dir, mesos.slave.flags.log_dir] %}
{%- set log_directories = log_directories | select | unique | list %}
{%- set has_password = '@' in mesos.zk | string %}

include:
  - mesos.package

mesos-path-stays:
  zk.path_stays:
    - name: mesos:zk
    - path: {{ ('/' ~ (mesos.zk | string).split('/', 3)[3:] | join) | json }}
    - files: [/etc/mesos/zk]
    - configured_by:
      - {{ vendor.master.flags }}/zk
      - {{ vendor.slave.flags }}/master
    - require:
      - pkg: mesos-package

# Chronos and the programs of the package read this file as well, and allow no comment in it.
mesos-zk:
  file.managed:
    - name: /etc/mesos/zk
    - source: salt://mesos/files/zk
    - template: jinja
    - reads: [salt://common, salt://mesos]
    - user: root
    - group: root
    - mode: '{{ '0600' if has_password else '0644' }}'
    - show_changes: {{ not has_password }}
    - require:
      - zk: mesos-path-stays

mesos-environment:
  file.managed:
    - name: /etc/default/mesos
    - source: salt://mesos/files/environment.bash
    - template: jinja
    - reads: [salt://common/formats.jinja]
    - context:
        sls: mesos.config
        open_files: {{ mesos.open_files | json }}
        environment: {{ mesos.environment | json }}
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: mesos-package

# systemd-tmpfiles-clean.timer reads it once a day.
mesos-logs:
  file.managed:
    - name: /etc/tmpfiles.d/mesos-logs.conf
    - source: salt://mesos/files/logs.conf
    - template: jinja
    - context:
        age: {{ mesos.log_retention | json }}
        directories: {{ log_directories | json }}
    - user: root
    - group: root
    - mode: '0644'
