# dockerd, after removing what conflicts with it.

{%- from "docker/map.jinja" import docker, package with context %}

include:
  - common.repositories

docker-conflicts:
  pkg.removed:
    - pkgs: {{ package.conflicts | json }}

docker-package:
  pkg.installed:
    - name: {{ docker.package | json }}
{%- if docker.version %}
    # The asterisk in front is for the epoch.
    - version: {{ ('*' ~ docker.version ~ '-' ~ (docker.release or '*')) | json }}
{%- endif %}
    - require:
      - sls: common.repositories
      - pkg: docker-conflicts
