# Where packages come from: a mirror of Mesosphere's repository, a vault or mirror of the system's own, and whatever else is named.
#
# Plain files instead of pkgrepo.managed: all sections of a file in one state, and nothing to run when they are in place.

{%- from "common/map.jinja" import common with context %}
{%- set repositories = common.repositories %}

include:
  - common.guard

{%- if repositories.baseurl %}

# The file of the package mesosphere-el-repo, whose addresses are dead.
repositories-mesosphere:
  file.managed:
    - name: /etc/yum.repos.d/mesosphere.repo
    - source: salt://common/files/mesosphere.repo
    - template: jinja
    - context:
        repositories: {{ repositories | json }}
    - user: root
    - group: root
    - mode: '0644'
{%- endif %}

{%- if repositories.vault %}

# All of the system's own files with enabled sections: writing over them disables mirror lists that are dead or out of reach,
# and an update of its release package leaves the files alone, %config(noreplace).
{%- set release = salt['slsutil.renderer']('salt://common/settings.py').release %}
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
    - user: root
    - group: root
    - mode: '0644'
{%- endif %}

# Always there, if only as a comment: so a repository that is no longer named goes.
repositories-extra:
  file.managed:
    - name: /etc/yum.repos.d/salt-extra.repo
    - source: salt://common/files/salt-extra.repo
    - template: jinja
    - context:
        repositories: {{ repositories | json }}
    - user: root
    - group: root
    - mode: '0644'
