# Where packages come from: a mirror of Mesosphere's repository, CentOS vault, and whatever else is named.
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

# The only one of the CentOS-*.repo files with enabled sections (base, updates and extras): writing over it disables
# the dead mirror list, and an update of centos-release leaves the file alone, %config(noreplace).
repositories-vault:
  file.managed:
    - name: /etc/yum.repos.d/CentOS-Base.repo
    - source: salt://common/files/CentOS-Base.repo
    - template: jinja
    - context:
        repositories: {{ repositories | json }}
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
