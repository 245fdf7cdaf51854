# yum repositories: a mirror of Mesosphere's, a vault or mirror of the system's own, and others.
#
# Files instead of pkgrepo.managed: one state for all sections of a file, and no process to run if
# nothing changes.

{%- from "common/map.jinja" import common, tree with context %}
{%- set repositories = common.repositories %}

include:
  - common.validate

{%- if repositories.baseurl %}

# The file of the package mesosphere-el-repo, whose addresses are off.
repositories-mesosphere:
  file.managed:
    - name: /etc/yum.repos.d/mesosphere.repo
    - source: salt://common/files/mesosphere.repo
    - template: jinja
    - reads: [salt://common/formats.jinja]
    - context:
        repositories: {{ repositories | json }}
    - user: root
    - group: root
    - mode: '0644'
{%- endif %}

{%- if repositories.vault %}

# All files of the system with enabled sections. Replacing them disables mirror lists that are off
# or out of reach. An update of the release package leaves them alone, %config(noreplace).
{%- set release = tree.node.release %}
{%- set system = release.systems.get(grains.os) or release.systems.values() | first %}
repositories-vault:
  file.managed:
    - names:
{%- for file, ids in system.files.items() %}
      - /etc/yum.repos.d/{{ file }}:
        - context:
            repositories: {{ repositories | json }}
            key: {{ system.key }}
            sections:
{%- for id in ids %}
              {{ id }}: {{ release.repositories[id] }}
{%- endfor %}
{%- endfor %}
    - source: salt://common/files/vault.repo
    - template: jinja
    - reads: [salt://common/formats.jinja]
    - user: root
    - group: root
    - mode: '0644'
{%- endif %}

# Managed without repositories as well, so that one that is no longer in pillar is removed.
repositories-extra:
  file.managed:
    - name: /etc/yum.repos.d/salt-extra.repo
    - source: salt://common/files/salt-extra.repo
    - template: jinja
    - reads: [salt://common/formats.jinja]
    - context:
        repositories: {{ repositories | json }}
    - user: root
    - group: root
    - mode: '0644'
