# Keep Chronos running.

{%- from "common/systemd.jinja" import unit_reload %}
{%- from "chronos/map.jinja" import chronos with context %}
{%- from "chronos/ready.jinja" import peers, ready, record, servers, zookeeper with context %}

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
    - peers: {{ peers | json }}
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
{%- if servers %}

# While servers are added, the only one that was there before may be restarted: see
# chronos.available_without_member.
chronos-record:
  file.managed:
    - name: {{ record }}
    - contents:
      - '# Managed by Salt (chronos.service). The servers that were set up.'
{%- for server in servers %}
      - {{ server | json }}
{%- endfor %}
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - daemon: chronos-service
{%- endif %}
