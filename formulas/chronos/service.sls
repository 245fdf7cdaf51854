# Keep Chronos running.

{%- from "common/systemd.jinja" import unit_reload %}
{%- from "chronos/map.jinja" import chronos with context %}
{%- from "chronos/ready.jinja" import ready, zookeeper with context %}

include:
  - mesos.config
  - chronos.package
  - chronos.config
{{ unit_reload('chronos', 'chronos-package', 'chronos-unit') }}

chronos-service:
  daemon.running:
    - name: chronos
    - reads:
      - /etc/chronos/conf
      - /etc/sysconfig/chronos
      - /etc/chronos/secrets
      - /etc/chronos/mesos-authentication-secret
      # Old launchers read this file, see defaults.yaml.
      - /etc/mesos/zk
      - /usr/lib/libmesos.so
    - ready: {{ ready | json }}
    - zookeeper: {{ zookeeper | json }}
    - require:
      - module: chronos-unit-reload
    - watch:
      - pkg: mesos-package
      - pkg: chronos-package
      - file: mesos-zk
      - mesos: chronos-flags
      - file: chronos-environment
      - file: chronos-secrets
      - file: chronos-unit
