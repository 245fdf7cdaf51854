# The firewall: one zone file with the ports of this node's roles. It is loaded when it changes,
# before Docker starts.

{%- from "common/map.jinja" import common, tree with context %}

include:
  - common.repositories
{%- if common.firewall.enabled %}

firewall-package:
  pkg.installed:
    - name: firewalld
    - require:
      - sls: common.repositories

firewall-zone:
  file.managed:
    - name: {{ ('/etc/firewalld/zones/' ~ common.firewall.zone ~ '.xml') | json }}
    - source: salt://common/files/zone.xml
    - template: jinja
    - context:
        firewall: {{ common.firewall | json }}
        rules: {{ tree.run('common/plan.py') | json(sort_keys=False) }}
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: firewall-package

# Returns when the rules are in place, which `systemctl reload` does not. A running dockerd notices
# it over D-Bus and restores its chains.
firewall-reload:
  cmd.run:
    - name: firewall-cmd --reload
    - onlyif: systemctl --quiet is-active firewalld
    - onchanges:
      - file: firewall-zone

firewall-service:
  service.running:
    - name: firewalld
    - enable: True
    - require:
      - file: firewall-zone
      - cmd: firewall-reload
{%- else %}

firewall-untouched:
  test.nop: []
{%- endif %}
