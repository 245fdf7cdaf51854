# dockerd, after removing what conflicts with it.

{%- from "docker/map.jinja" import docker, package, tree with context %}
{%- from "mesos/agent.jinja" import agent with context %}

include:
  - common.repositories

{#- The asterisk in front is for the epoch. #}
{%- set version = '*' ~ (docker.version or '') ~ '-' ~ (docker.release or '*') %}

# The package restarts dockerd, and the removal of another one stops it.
docker-turn:
  daemon.turn:
    - name: docker
    - package: {{ docker.package | json }}
    - version: {{ version | json }}
    - replaces: {{ package.conflicts | json }}
    - drain: {{ agent | json }}

docker-conflicts:
  pkg.removed:
    - pkgs: {{ package.conflicts | json }}
    - require:
      - daemon: docker-turn

docker-package:
  pkg.installed:
    - name: {{ docker.package | json }}
{%- if docker.version %}
    - version: {{ version | json }}
{%- endif %}
    - require:
      - daemon: docker-turn
      - sls: common.repositories
      - pkg: docker-conflicts
