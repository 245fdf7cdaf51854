# What mesos-master reads: a file for each flag, a file for each secret that a flag names, and its environment.

{%- from "mesos/map.jinja" import mesos, aliases with context %}
{%- set flags = salt['slsutil.renderer']('salt://mesos/flags.py', default_renderer='py', settings=mesos) %}

include:
  - mesos.package

mesos-master-secrets:
  mesos.flags_managed:
    - name: /etc/mesos/master-secrets
    - secrets: mesos:master:secrets
    - user: root
    - group: root
    - dir_mode: '0700'
    - require:
      - pkg: mesos-package

# After the package: it brings files of its own, and .rpmnew of them would be flags.
mesos-master-flags:
  mesos.flags_managed:
    - name: /etc/mesos-master
    - flags: {{ flags.master | json }}
    - environment: {{ (mesos.environment.keys() | list + mesos.master.environment.keys() | list) | json }}
    - aliases: {{ aliases | json }}
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: mesos-package
      - mesos: mesos-master-secrets

mesos-master-environment:
  file.managed:
    - name: /etc/default/mesos-master
    - source: salt://mesos/files/environment.bash
    - template: jinja
    - context:
        sls: mesos.master.config
        environment: {{ mesos.master.environment | json }}
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: mesos-package

mesos-master-unit:
  file.managed:
    - name: /etc/systemd/system/mesos-master.service.d/salt.conf
    - source: salt://mesos/files/unit.conf
    - template: jinja
    - context:
        sls: mesos.master.config
        service: {{ mesos.master.unit | json }}
    - user: root
    - group: root
    - mode: '0644'
    - makedirs: True
