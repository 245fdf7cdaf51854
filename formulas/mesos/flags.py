#!py
"""
The flags of the Mesos daemons, as data. Validation and plan.py read it, and the fake daemons of the
lab do.

One flag a line: its name; the first minor version that knows it; its type; its default (``-``: not
set, ``''``: empty); and its name before, which is still accepted, with the first minor version that
knows that, if it is not 0.20. Types:

    bool    true or false                       list    words, separated by commas
    int     an integer                          paths   absolute paths, separated by colons
    num     a number                            path    an absolute path
    time    a duration, such as 15secs          file    the path of a file, also file:///path
    bytes   a size, such as 2GB                 json    JSON, or file:///path of a file with it
    string  any text

Source: the flags that apache/mesos adds at the release tags 0.20.1 to 1.11.0, one for each minor
version; defaults as ``/flags`` of 1.11.0 answers them.
"""

MASTER = """
acls                                   0.20 json   -
advertise_ip                           0.24 string -
advertise_port                         0.24 string -
agent_ping_timeout                     1.0  time   15secs              slave_ping_timeout 0.23
agent_removal_rate_limit               1.0  string -                   slave_removal_rate_limit 0.22
agent_reregister_timeout               1.0  time   10mins              slave_reregister_timeout
allocation_interval                    0.20 time   1secs
allocator                              0.23 string hierarchical
allocator_agent_recovery_factor        1.11 num    0.8
allocator_recovery_timeout             1.11 time   10mins
authenticate_agents                    1.0  bool   false               authenticate_slaves
authenticate_frameworks                1.0  bool   false               authenticate
authenticate_http_frameworks           1.0  bool   false
authenticate_http_readonly             1.0  bool   false
authenticate_http_readwrite            1.0  bool   false               authenticate_http 0.27
authentication_v0_timeout              1.7  time   15secs
authenticators                         0.21 list   crammd5
authorizers                            0.24 list   local
cluster                                0.20 string -
credentials                            0.20 file   -
domain                                 1.4  json   -
external_log_file                      0.22 path   -
fair_sharing_excluded_resource_names   1.0  list   -
filter_gpu_resources                   1.4  bool   true
firewall_rules                         0.23 json   -
framework_sorter                       0.20 string drf
help                                   0.20 bool   false
hooks                                  0.22 list   -
hostname                               0.20 string -
hostname_lookup                        0.25 bool   true
http_authenticators                    0.27 list   basic
http_framework_authenticators          1.0  list   -
initialize_driver_logging              0.20 bool   true
ip                                     0.20 string -
ip_discovery_command                   0.24 string -
log_auto_initialize                    0.20 bool   true
log_dir                                0.20 path   -
logbufsecs                             0.20 int    0
logging_level                          0.20 string INFO
master_contender                       1.0  string -
master_detector                        1.0  string -
max_agent_ping_timeouts                1.0  int    5                   max_slave_ping_timeouts 0.23
max_completed_frameworks               0.27 int    50
max_completed_tasks_per_framework      0.27 int    1000
max_executors_per_agent                1.0  int    -                   max_executors_per_slave
max_operator_event_stream_subscribers  1.8  int    1000
max_unreachable_tasks_per_framework    1.2  int    1000
memory_profiling                       1.6  bool   false
min_allocatable_resources              1.7  string cpus:0.01|mem:32
modules                                0.21 json   -
modules_dir                            1.0  path   -
offer_constraints_re2_max_mem          1.11 bytes  4KB
offer_constraints_re2_max_program_size 1.11 int    100
offer_timeout                          0.21 time   -
port                                   0.20 int    5050
publish_per_framework_metrics          1.8  bool   true
quiet                                  0.20 bool   false
quorum                                 0.20 int    -
rate_limits                            0.20 json   -
recovery_agent_removal_limit           1.0  string 100%                recovery_slave_removal_limit
registry                               0.20 string replicated_log
registry_fetch_timeout                 0.20 time   1mins
registry_gc_interval                   1.1  time   15mins
registry_max_agent_age                 1.1  time   2weeks
registry_max_agent_count               1.1  int    102400
registry_store_timeout                 0.20 time   20secs
registry_strict                        0.20 bool   false
require_agent_domain                   1.5  bool   false
role_sorter                            1.7  string drf                 user_sorter
roles                                  0.20 list   -
root_submissions                       0.20 bool   true
version                                0.20 bool   false
webui_dir                              0.20 path   /usr/share/mesos/webui
weights                                0.20 list   -
whitelist                              0.20 file   -
work_dir                               0.20 path   -
zk                                     0.20 string -
zk_session_timeout                     0.20 time   10secs
"""

AGENT = """
acls                                   1.0  json   -
advertise_ip                           0.27 string -
advertise_port                         0.27 string -
agent_features                         1.5  json   -
agent_subsystems                       1.0  list   -                   slave_subsystems
allowed_devices                        1.3  json   -
appc_simple_discovery_uri_prefix       0.28 string http://
appc_store_dir                         0.24 path   /tmp/mesos/store/appc
attributes                             0.20 string -
authenticate_http_executors            1.3  bool   -
authenticate_http_readonly             1.0  bool   false
authenticate_http_readwrite            1.0  bool   false
authenticatee                          0.22 string crammd5
authentication_backoff_factor          1.0  time   1secs
authentication_timeout_max             1.7  time   1mins
authentication_timeout_min             1.7  time   5secs
authorizer                             1.0  string local
bounding_capabilities                  1.4  json   -
cgroups_cpu_enable_pids_and_tids_count 0.23 bool   false
cgroups_destroy_timeout                1.7  time   1mins
cgroups_enable_cfs                     0.20 bool   false
cgroups_hierarchy                      0.20 path   /sys/fs/cgroup
cgroups_limit_swap                     0.20 bool   false
cgroups_net_cls_primary_handle         0.28 string -
cgroups_net_cls_secondary_handles      0.28 string -
cgroups_root                           0.20 string mesos
container_disk_watch_interval          0.22 time   15secs
container_logger                       0.27 string -
containerizers                         0.20 list   mesos
credential                             0.20 file   -
csi_plugin_config_dir                  1.11 path   -
default_container_dns                  1.4  json   -
default_container_info                 0.21 json   -
default_container_shm_size             1.9  string -
default_role                           0.20 string *
disallow_sharing_agent_ipc_namespace   1.9  bool   false
disallow_sharing_agent_pid_namespace   1.4  bool   false
disk_profile_adaptor                   1.5  string -
disk_watch_interval                    0.20 time   1mins
docker                                 0.20 string docker
docker_config                          1.0  string -
docker_ignore_runtime                  1.9  bool   false
docker_kill_orphans                    0.23 bool   true
docker_mesos_image                     0.23 string -
docker_registry                        0.26 string https://registry-1.docker.io
docker_remove_delay                    0.21 time   6hrs
docker_socket                          0.23 path   /var/run/docker.sock
docker_stop_timeout                    0.21 time   0ns
docker_store_dir                       0.26 path   /tmp/mesos/store/docker
docker_volume_checkpoint_dir           1.0  path   /var/run/mesos/isolators/docker/volume
docker_volume_chown                    1.9  bool   false
domain                                 1.4  json   -
domain_socket_location                 1.10 path   -
effective_capabilities                 1.4  json   -                   allowed_capabilities 1.1
enforce_container_disk_quota           0.22 bool   false
executor_environment_variables         0.23 json   -
executor_registration_timeout          0.20 time   1mins
executor_reregistration_retry_interval 1.4  time   -
executor_reregistration_timeout        1.4  time   2secs
executor_shutdown_grace_period         0.20 time   5secs
external_log_file                      0.22 path   -
fetcher_cache_dir                      0.23 path   /tmp/mesos/fetch
fetcher_cache_size                     0.23 bytes  2GB
fetcher_stall_timeout                  1.6  time   1mins
firewall_rules                         0.23 json   -
frameworks_home                        0.20 path   ''
gc_delay                               0.20 time   1weeks
gc_disk_headroom                       0.22 num    0.1
gc_non_executor_container_sandboxes    1.7  bool   false
hadoop_home                            0.20 path   -
help                                   0.20 bool   false
hooks                                  0.22 list   -
host_path_volume_force_creation        1.8  paths  -
hostname                               0.20 string -
hostname_lookup                        0.25 bool   true
http_authenticators                    1.0  list   -
http_command_executor                  1.0  bool   false
http_credentials                       1.0  file   -
http_executor_domain_sockets           1.10 bool   false
http_heartbeat_interval                1.2  time   30secs
image_gc_config                        1.5  json   -
image_providers                        0.25 list   -
image_provisioner_backend              0.25 string -
initialize_driver_logging              0.20 bool   true
ip                                     0.20 string -
ip6                                    1.4  string -
ip6_discovery_command                  1.4  string -
ip_discovery_command                   0.24 string -
isolation                              0.20 list   posix/cpu,posix/mem
jwt_secret_key                         1.5  file   -                   executor_secret_key 1.3
launcher                               0.25 string linux
launcher_dir                           0.20 path   /usr/libexec/mesos
log_dir                                0.20 path   -
logbufsecs                             0.20 int    0
logging_level                          0.20 string INFO
master                                 0.20 string -
master_detector                        1.0  string -
max_completed_executors_per_framework  1.1  int    150
memory_profiling                       1.6  bool   false
modules                                0.21 json   -
modules_dir                            1.0  path   -
network_cni_config_dir                 1.0  path   -
network_cni_metrics                    1.7  bool   true
network_cni_plugins_dir                1.0  paths  -
network_cni_root_dir_persist           1.8  bool   false
nvidia_gpu_devices                     1.0  list   -
oversubscribed_resources_interval      0.23 time   15secs
perf_duration                          0.20 time   10secs
perf_events                            0.20 list   -
perf_interval                          0.20 time   1mins
port                                   0.20 int    5051
qos_controller                         0.23 string -
qos_correction_interval_min            0.23 time   0ns
quiet                                  0.20 bool   false
reconfiguration_policy                 1.5  string equal
recover                                0.20 string reconnect
recovery_timeout                       0.20 time   15mins
registration_backoff_factor            0.20 time   1secs
resource_estimator                     0.23 string -
resource_provider_config_dir           1.4  path   -
resources                              0.20 string -
revocable_cpu_low_priority             0.23 bool   true
runtime_dir                            1.1  path   /var/run/mesos
sandbox_directory                      0.24 path   /mnt/mesos/sandbox
secret_resolver                        1.4  string -
strict                                 0.20 bool   true
switch_user                            0.20 bool   true
systemd_enable_support                 0.28 bool   true
systemd_runtime_directory              0.25 path   /run/systemd/system
version                                0.20 bool   false
volume_gid_range                       1.8  string -
work_dir                               0.20 path   -
zk_session_timeout                     1.5  time   10secs
"""

# Flags of features that a package may be built without: seccomp, XFS, the isolators for ports and
# for port mapping. A daemon without the feature does not know the flag.
AGENT_FEATURES = """
check_agent_port_range_only              1.5  bool   -
container_ports_isolated_range           1.8  string -
container_ports_watch_interval           1.5  time   -
egress_flow_classifier_parent            0.27 string -
egress_rate_limit_per_container          0.21 bytes  -
egress_unique_flow_per_container         0.23 bool   -
enforce_container_ports                  1.7  bool   -
ephemeral_ports_per_container            0.20 int    -
eth0_name                                0.20 string -
lo_name                                  0.20 string -
network_enable_snmp_statistics           0.28 bool   -
network_enable_socket_statistics_details 0.22 bool   -
network_enable_socket_statistics_summary 0.22 bool   -
seccomp_config_dir                       1.8  path   -
seccomp_profile_name                     1.8  string -
xfs_kill_containers                      1.6  bool   -
xfs_project_range                        1.0  string -
"""

# Flags that were removed without a new name: name, first and last minor version, type.
AGENT_REMOVED = """
cgroups_subsystems                 0.20 0.21 string
checkpoint                         0.20 0.21 bool
containerizer_path                 0.20 1.0  path
default_container_image            0.20 1.0  string
docker_auth_server                 0.26 0.27 string
docker_auth_server_port            0.26 0.26 int
docker_local_archives_dir          0.26 0.26 path
docker_puller                      0.26 0.26 string
docker_puller_timeout              0.26 0.27 string
docker_registry_port               0.26 0.26 int
docker_sandbox_directory           0.20 0.23 path
network_enable_socket_statistics   0.21 0.21 bool
provisioners                       0.24 0.24 list
resource_monitoring_interval       0.20 0.25 time
"""

version = ""


def run():
    """
    Return the flags of each daemon, ``master`` and ``slave``. Keyword: ``version`` of Mesos.

    Of each: ``flags``, name -> type, of this version; ``since``, name -> first version, of those
    that are newer; ``removed``, name -> last version; and ``aliases``, old name -> new name.
    """
    return {
        "master": _flags(MASTER, ""),
        "slave": _flags(AGENT + AGENT_FEATURES, AGENT_REMOVED),
    }


def _flags(table, removed_table):
    flags, since, removed, aliases = {}, {}, {}, {}
    minor = _minor(version)
    for line in filter(None, table.splitlines()):
        name, start, flag_type, _, *old = line.split()
        old_name = old[0] if old else None
        old_start = old[1] if len(old) > 1 else "0.20"
        if old_name:
            aliases[old_name] = name
        if _minor(start) <= minor:
            flags[name] = flag_type
            continue
        since[name] = start
        if old_name and _minor(old_start) <= minor:
            flags[old_name] = flag_type
    for line in filter(None, removed_table.splitlines()):
        name, start, end, flag_type = line.split()
        if _minor(start) <= minor <= _minor(end):
            flags[name] = flag_type
        else:
            removed[name] = end
    return {"flags": flags, "since": since, "removed": removed, "aliases": aliases}


def _minor(number):
    """Return ``1.9.0`` as (1, 9), to compare it."""
    parts = [int(part) for part in str(number).split(".")[:2] if part.isdecimal()]
    return tuple(parts + [0] * (2 - len(parts)))
