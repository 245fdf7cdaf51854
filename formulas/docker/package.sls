# dockerd, after removing what conflicts with it.

{%- from "docker/map.jinja" import docker, package, tree with context %}
{%- from "mesos/agent.jinja" import agent with context %}

include:
  - common.repositories

docker-conflicts:
  pkg.removed:
    - pkgs: {{ package.conflicts | json }}

{#- The asterisk in front is for the epoch. #}
{%- set version = '*' ~ (docker.version or '') ~ '-' ~ (docker.release or '*') %}

# The package restarts dockerd.
docker-turn:
  daemon.turn:
    - name: docker
    - package: {{ docker.package | json }}
    - version: {{ version | json }}
    - drain: {{ agent | json }}

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
