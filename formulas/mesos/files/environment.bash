# Managed by Salt ({{ sls }}).
{%- from "common/formats.jinja" import shell %}
# Sourced by mesos-init-wrapper. No LOGS, PORT, ZK, MASTER... here: these are flags too, and a flag given twice is fatal.
{%- if open_files is defined %}
ULIMIT='-n {{ open_files }}'
{%- endif %}
{%- for name, value in environment.items() if value is not none %}
export {{ name }}={{ shell(value) }}
{%- endfor %}
