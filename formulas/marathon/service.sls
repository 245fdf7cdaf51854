# Keep Marathon running and enabled, also after an upgrade of the package, which leaves it stopped
# and disabled from 1.7.149 on.

{%- from "common/systemd.jinja" import unit_reload %}
{%- from "marathon/map.jinja" import marathon, tree with context %}
{%- from "marathon/ready.jinja" import peers, ready, record, servers, zookeeper with context %}
{%- set plan = tree.run('marathon/plan.py', settings=marathon) %}

include:
  - marathon.package
  - marathon.config
{{ unit_reload('marathon', 'marathon-package', 'marathon-unit') }}

marathon-service:
  daemon.running:
    - name: marathon
    - reads:
{%- if plan.flags %}
      - /etc/marathon/conf
{%- endif %}
      - {{ plan.environment }}
      - /etc/marathon/secrets
      - /usr/lib/libmesos.so
    - ready: {{ ready | json }}
    - peers: {{ peers | json }}
    - zookeeper: {{ zookeeper | json }}
    - require:
      - module: marathon-unit-reload
    - watch:
      - pkg: mesos-package
      - pkg: marathon-package
{%- if plan.flags %}
      - mesos: marathon-flags
{%- endif %}
      - file: marathon-environment
      - file: marathon-secrets
      - file: marathon-unit
{%- if servers %}

# While servers are added, the only one that was there before may be restarted: see
# marathon.available_without_member.
marathon-record:
  file.managed:
    - name: {{ record }}
    - contents:
      - '# Managed by Salt (marathon.service). The servers that were set up.'
{%- for server in servers %}
      - {{ server | json }}
{%- endfor %}
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - daemon: marathon-service
{%- endif %}
