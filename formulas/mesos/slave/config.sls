# What mesos-slave reads: a file for each flag, attribute and resource, a file for each secret that a flag names, and its
# environment.

{%- from "mesos/map.jinja" import mesos, agent, aliases with context %}
{%- set flags = salt['slsutil.renderer']('salt://mesos/flags.py', default_renderer='py', settings=mesos) %}

include:
  - mesos.package

mesos-slave-secrets:
  mesos.flags_managed:
    - name: /etc/mesos/slave-secrets
    - secrets: mesos:slave:secrets
    - user: root
    - group: root
    - dir_mode: '0700'
    - require:
      - pkg: mesos-package

# After the package: it brings files of its own, and .rpmnew of them would be flags.
mesos-slave-flags:
  mesos.flags_managed:
    - name: {{ agent.flags }}
    - flags: {{ flags.slave | json }}
    - environment: {{ (mesos.environment.keys() | list + mesos.slave.environment.keys() | list) | json }}
    - aliases: {{ aliases | json }}
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: mesos-package
      - mesos: mesos-slave-secrets

mesos-slave-environment:
  file.managed:
    - name: {{ agent.environment }}
    - source: salt://mesos/files/environment.bash
    - template: jinja
    - context:
        sls: mesos.slave.config
        environment: {{ mesos.slave.environment | json }}
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: mesos-package

# At boot after dockerd, if there is one: an agent that does not find it gives up, and tries again 20 seconds later.
mesos-slave-unit:
  file.managed:
    - name: /etc/systemd/system/{{ agent.unit }}.service.d/salt.conf
    - source: salt://mesos/files/unit.conf
    - template: jinja
    - context:
        sls: mesos.slave.config
        after: docker.service
        service: {{ mesos.slave.unit | json }}
    - user: root
    - group: root
    - mode: '0644'
    - makedirs: True
