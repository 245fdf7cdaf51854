"""The flags of the Mesos daemons, as data.

One flag a line: its name, the first version that knows it (1.0: at least since then), its type, its default (``-``:
none, not set; ``''``: the empty string) and the name that it had before. Flags of features that the packages are
built without (seccomp, XFS, port mapping, ports isolator) are left out: a daemon without the feature refuses them, too.

Source: the flags that apache/mesos adds at each release tag; defaults as ``/flags`` of 1.11.0 answers them.
"""

MASTER = """
acls                                   1.0    json   -
advertise_ip                           1.0    string -
advertise_port                         1.0    string -
agent_ping_timeout                     1.0    time   15secs                                 slave_ping_timeout
agent_removal_rate_limit               1.0    string -                                      slave_removal_rate_limit
agent_reregister_timeout               1.0    time   10mins                                 slave_reregister_timeout
allocation_interval                    1.0    time   1secs
allocator                              1.0    string hierarchical
allocator_agent_recovery_factor        1.11.0 num    0.8
allocator_recovery_timeout             1.11.0 time   10mins
authenticate_agents                    1.0    bool   false                                  authenticate_slaves
authenticate_frameworks                1.0    bool   false                                  authenticate
authenticate_http_frameworks           1.0    bool   false
authenticate_http_readonly             1.0    bool   false
authenticate_http_readwrite            1.0    bool   false                                  authenticate_http
authentication_v0_timeout              1.7.0  time   15secs
authenticators                         1.0    string crammd5
authorizers                            1.0    string local
cluster                                1.0    string -
credentials                            1.0    path   -
domain                                 1.4.0  json   -
external_log_file                      1.0    string -
fair_sharing_excluded_resource_names   1.0    string -
filter_gpu_resources                   1.4.0  bool   true
firewall_rules                         1.0    json   -
framework_sorter                       1.0    string drf
help                                   1.0    bool   false
hooks                                  1.0    string -
hostname                               1.0    string -
hostname_lookup                        1.0    bool   true
http_authenticators                    1.0    string basic
http_framework_authenticators          1.0    string -
initialize_driver_logging              1.0    bool   true
ip                                     1.0    string -
ip_discovery_command                   1.0    string -
log_auto_initialize                    1.0    bool   true
log_dir                                1.0    string -
logbufsecs                             1.0    int    0
logging_level                          1.0    string INFO
master_contender                       1.0    string -
master_detector                        1.0    string -
max_agent_ping_timeouts                1.0    int    5                                      max_slave_ping_timeouts
max_completed_frameworks               1.0    int    50
max_completed_tasks_per_framework      1.0    int    1000
max_executors_per_agent                1.0    int    -                                      max_executors_per_slave
max_operator_event_stream_subscribers  1.8.0  int    1000
max_unreachable_tasks_per_framework    1.2.0  int    1000
memory_profiling                       1.6.0  bool   false
min_allocatable_resources              1.7.0  string cpus:0.01|mem:32
modules                                1.0    json   -
modules_dir                            1.0    string -
offer_constraints_re2_max_mem          1.11.0 bytes  4KB
offer_constraints_re2_max_program_size 1.11.0 int    100
offer_timeout                          1.0    time   -
port                                   1.0    int    5050
publish_per_framework_metrics          1.8.0  bool   true
quiet                                  1.0    bool   false
quorum                                 1.0    int    -
rate_limits                            1.0    json   -
recovery_agent_removal_limit           1.0    string 100%                                   recovery_slave_removal_limit
registry                               1.0    string replicated_log
registry_fetch_timeout                 1.0    time   1mins
registry_gc_interval                   1.1.0  time   15mins
registry_max_agent_age                 1.1.0  time   2weeks
registry_max_agent_count               1.1.0  int    102400
registry_store_timeout                 1.0    time   20secs
registry_strict                        1.0    bool   false
require_agent_domain                   1.5.0  bool   false
role_sorter                            1.7.0  string drf                                    user_sorter
roles                                  1.0    string -
root_submissions                       1.0    bool   true
version                                1.0    bool   false
webui_dir                              1.0    string /usr/share/mesos/webui
weights                                1.0    string -
whitelist                              1.0    path   -
work_dir                               1.0    string -
zk                                     1.0    string -
zk_session_timeout                     1.0    time   10secs
"""

AGENT = """
acls                                   1.0    json   -
advertise_ip                           1.0    string -
advertise_port                         1.0    string -
agent_features                         1.5.0  string -
agent_subsystems                       1.0    string -                                      slave_subsystems
allowed_devices                        1.3.0  json   -
appc_simple_discovery_uri_prefix       1.0    string http://
appc_store_dir                         1.0    string /tmp/mesos/store/appc
attributes                             1.0    string -
authenticate_http_executors            1.3.0  bool   -
authenticate_http_readonly             1.0    bool   false
authenticate_http_readwrite            1.0    bool   false
authenticatee                          1.0    string crammd5
authentication_backoff_factor          1.0    time   1secs
authentication_timeout_max             1.7.0  time   1mins
authentication_timeout_min             1.7.0  time   5secs
authorizer                             1.0    string local
bounding_capabilities                  1.4.0  json   -
cgroups_cpu_enable_pids_and_tids_count 1.0    bool   false
cgroups_destroy_timeout                1.7.0  time   1mins
cgroups_enable_cfs                     1.0    bool   false
cgroups_hierarchy                      1.0    string /sys/fs/cgroup
cgroups_limit_swap                     1.0    bool   false
cgroups_net_cls_primary_handle         1.0    string -
cgroups_net_cls_secondary_handles      1.0    string -
cgroups_root                           1.0    string mesos
container_disk_watch_interval          1.0    time   15secs
container_logger                       1.0    string -
containerizers                         1.0    string mesos
credential                             1.0    path   -
csi_plugin_config_dir                  1.11.0 string -
default_container_dns                  1.4.0  json   -
default_container_info                 1.0    json   -
default_container_shm_size             1.9.0  string -
default_role                           1.0    string *
disallow_sharing_agent_ipc_namespace   1.9.0  bool   false
disallow_sharing_agent_pid_namespace   1.4.0  bool   false
disk_profile_adaptor                   1.5.0  string -
disk_watch_interval                    1.0    time   1mins
docker                                 1.0    string docker
docker_config                          1.0    string -
docker_ignore_runtime                  1.9.0  bool   false
docker_kill_orphans                    1.0    bool   true
docker_mesos_image                     1.0    string -
docker_registry                        1.0    string https://registry-1.docker.io
docker_remove_delay                    1.0    time   6hrs
docker_socket                          1.0    string /var/run/docker.sock
docker_stop_timeout                    1.0    time   0ns
docker_store_dir                       1.0    string /tmp/mesos/store/docker
docker_volume_checkpoint_dir           1.0    string /var/run/mesos/isolators/docker/volume
docker_volume_chown                    1.9.0  bool   false
domain                                 1.4.0  json   -
domain_socket_location                 1.10.0 string -
effective_capabilities                 1.4.0  json   -                                      allowed_capabilities
enforce_container_disk_quota           1.0    bool   false
executor_environment_variables         1.0    json   -
executor_registration_timeout          1.0    time   1mins
executor_reregistration_retry_interval 1.4.0  time   -
executor_reregistration_timeout        1.4.0  time   2secs
executor_shutdown_grace_period         1.0    time   5secs
external_log_file                      1.0    string -
fetcher_cache_dir                      1.0    string /tmp/mesos/fetch
fetcher_cache_size                     1.0    bytes  2GB
fetcher_stall_timeout                  1.6.0  time   1mins
firewall_rules                         1.0    json   -
frameworks_home                        1.0    string ''
gc_delay                               1.0    time   1weeks
gc_disk_headroom                       1.0    num    0.1
gc_non_executor_container_sandboxes    1.7.0  bool   false
hadoop_home                            1.0    string -
help                                   1.0    bool   false
hooks                                  1.0    string -
host_path_volume_force_creation        1.8.0  string -
hostname                               1.0    string -
hostname_lookup                        1.0    bool   true
http_authenticators                    1.0    string -
http_command_executor                  1.0    bool   false
http_credentials                       1.0    path   -
http_executor_domain_sockets           1.10.0 bool   false
http_heartbeat_interval                1.2.0  time   30secs
image_gc_config                        1.5.0  json   -
image_providers                        1.0    string -
image_provisioner_backend              1.0    string -
initialize_driver_logging              1.0    bool   true
ip                                     1.0    string -
ip6                                    1.4.0  string -
ip6_discovery_command                  1.4.0  string -
ip_discovery_command                   1.0    string -
isolation                              1.0    string posix/cpu,posix/mem
jwt_secret_key                         1.5.0  path   -                                      executor_secret_key
launcher                               1.0    string linux
launcher_dir                           1.0    string /usr/libexec/mesos
log_dir                                1.0    string -
logbufsecs                             1.0    int    0
logging_level                          1.0    string INFO
master                                 1.0    string -
master_detector                        1.0    string -
max_completed_executors_per_framework  1.1.0  int    150
memory_profiling                       1.6.0  bool   false
modules                                1.0    json   -
modules_dir                            1.0    string -
network_cni_config_dir                 1.0    string -
network_cni_metrics                    1.7.0  bool   true
network_cni_plugins_dir                1.0    string -
network_cni_root_dir_persist           1.8.0  bool   false
nvidia_gpu_devices                     1.0    string -
oversubscribed_resources_interval      1.0    time   15secs
perf_duration                          1.0    time   10secs
perf_events                            1.0    string -
perf_interval                          1.0    time   1mins
port                                   1.0    int    5051
qos_controller                         1.0    string -
qos_correction_interval_min            1.0    time   0ns
quiet                                  1.0    bool   false
reconfiguration_policy                 1.5.0  string equal
recover                                1.0    string reconnect
recovery_timeout                       1.0    time   15mins
registration_backoff_factor            1.0    time   1secs
resource_estimator                     1.0    string -
resource_provider_config_dir           1.4.0  string -
resources                              1.0    string -
revocable_cpu_low_priority             1.0    bool   true
runtime_dir                            1.1.0  string /var/run/mesos
sandbox_directory                      1.0    string /mnt/mesos/sandbox
secret_resolver                        1.4.0  string -
strict                                 1.0    bool   true
switch_user                            1.0    bool   true
systemd_enable_support                 1.0    bool   true
systemd_runtime_directory              1.0    string /run/systemd/system
version                                1.0    bool   false
volume_gid_range                       1.8.0  string -
work_dir                               1.0    string -
zk_session_timeout                     1.5.0  time   10secs
"""
