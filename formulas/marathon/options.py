#!py
"""
The options of Marathon's command line, as data. Validation, plan.py and the fake Marathon read it.
common/options.py explains the columns. ``no_logger`` is an option of the launcher.

Source: the configuration classes of mesosphere/marathon at all 121 release tags from v0.8.0 to
v1.10.26, and those of mesosphere/chaos, which has the options of HTTP before 1.6.486, at the
version that each tag names. A range begins with the first tag that has an option, and ends before
the first that does not.
"""

OPTIONS = """
accepted_resource_roles_default_behavior            text    1.9.64
access_control_allow_origin                         text    0.8.2
app_info_module_execution_context_size              integer 1.5.7-1.6.0 1.6.322
artifact_store                                      text    0.8.0-1.5.0
assets_path                                         text    0.8.0
backup_location                                     text    1.5.0
checkpoint                                          fixed   0.8.0-0.13.0
checkpoint                                          toggle  0.13.0
decline_offer_duration                              integer 0.9.2
default_accepted_resource_roles                     text    0.9.0
default_info_service_execution_context_size         integer 1.5.7-1.6.0 1.6.322
default_network_name                                text    1.3.0
deployment_manager_request_timeout                  integer 1.5.0
deprecated_features                                 text    1.6.490
disable_http                                        switch  0.8.2
disable_metrics                                     switch  0.10.0-0.13.0
disable_revive_offers_for_new_apps                  switch  0.11.0-0.13.0
draining_seconds                                    integer 1.5.7
enable_features                                     text    1.1.0
enable_metrics                                      switch  0.8.2-1.4.0
enable_tracing                                      switch  0.8.2-1.4.0
env_vars_prefix                                     text    0.10.0
event_stream_max_outstanding_messages               integer 0.9.0
event_subscriber                                    text    0.8.0-1.5.0
executor                                            text    0.8.0
failover_timeout                                    integer 0.8.0
feature_akka_http_service_backend                   switch  1.5.0-1.6.490
framework_name                                      text    0.8.0
gc_actor_scan_batch_size                            integer 1.5.9-1.6.0
gpu_scheduling_behavior                             text    1.5.7-1.6.0 1.6.352
graceful_shutdown_timeout                           integer 1.8.180
group_manager_execution_context_size                integer 1.5.7-1.6.0 1.6.322
group_manager_request_timeout                       integer 1.3.0
group_role_behavior                                 text    1.9.32-1.9.64
group_versions_cache_size                           integer 1.7.37
ha                                                  fixed   0.8.0-0.13.0
ha                                                  toggle  0.13.0
hostname                                            text    0.8.0
http_address                                        text    0.8.2
http_compression                                    toggle  1.3.0
http_credentials                                    text    0.8.0
http_endpoints                                      text    0.8.0-1.5.0
http_event_callback_slow_consumer_timeout           integer 0.13.1-0.14.0 0.14.1-1.5.0
http_event_request_timeout                          integer 1.3.0-1.5.0
http_max_concurrent_requests                        integer 0.10.0
http_port                                           integer 0.8.0
http_realm                                          text    0.8.2
https_address                                       text    0.8.2
https_port                                          integer 0.8.0
instance_tracker_num_parallel_loads                 integer 1.8.180
instance_tracker_num_parallel_updates               integer 1.8.180
instance_tracker_update_queue_size                  integer 1.8.180
internal_store_backend                              text    0.9.0
internal_version_caching                            toggle  1.4.0
killBatchDuration                                   integer 1.1.0
kill_chunk_size                                     integer 1.3.0
kill_retry_max                                      integer 1.3.0-1.3.1
kill_retry_timeout                                  integer 1.3.0
killsPerBatch                                       integer 1.1.0
launch_queue_request_timeout                        integer 0.11.0
launch_token_refresh_interval                       integer 0.11.0
launch_tokens                                       integer 0.11.0
leader_election_backend                             text    1.3.0
leader_proxy_connection_timeout                     integer 0.9.0
leader_proxy_max_open_connections                   integer 1.6.564-1.7.37 1.7.149
leader_proxy_read_timeout                           integer 0.9.0
leader_proxy_ssl_ignore_hostname                    switch  1.3.0
local_port_max                                      integer 0.8.0
local_port_min                                      integer 0.8.0
logging_level                                       text    0.8.2
logstash                                            text    1.3.0
maintenance_mode                                    toggle  1.7.149
marathon_store_timeout                              integer 0.8.0-1.4.0
master                                              text    0.8.0
max_actor_startup_time                              integer 0.11.0
max_apps                                            integer 0.11.1
max_concurrent_marathon_health_checks               integer 1.5.14-1.6.0 1.6.590-1.7.37 1.7.216
max_instances_per_offer                             integer 1.4.0
max_parallel_offers                                 integer 1.5.0
max_parallel_status_updates                         integer 0.15.0
max_queued_offers                                   integer 1.5.0
max_queued_root_group_updates                       integer 0.15.0
max_queued_status_updates                           integer 0.15.0
max_running_deployments                             integer 1.5.9-1.6.0 1.6.486
max_tasks_per_offer                                 integer 0.8.2-1.5.0
max_tasks_per_offer_cycle                           integer 0.8.2-1.4.0
mesos_authentication                                toggle  1.3.0
mesos_authentication_principal                      text    0.8.0
mesos_authentication_secret                         text    1.3.0
mesos_authentication_secret_file                    text    0.8.0
mesos_bridge_name                                   text    1.5.0
mesos_heartbeat_failure_threshold                   integer 1.1.4
mesos_heartbeat_interval                            integer 1.1.4
mesos_leader_ui_url                                 text    0.11.0
mesos_role                                          text    0.8.0
mesos_user                                          text    0.8.0
metrics                                             toggle  0.13.0
metrics_averaging_window                            integer 1.5.8-1.6.0 1.6.392-1.8.180
metrics_datadog                                     toggle  1.7.50
metrics_datadog_api_key                             text    1.7.50
metrics_datadog_host                                text    1.7.50
metrics_datadog_port                                integer 1.7.50
metrics_datadog_protocol                            text    1.7.50
metrics_datadog_transmission_interval_ms            integer 1.7.50
metrics_histogram_reservoir_highest_trackable_value integer 1.7.149
metrics_histogram_reservoir_reset_periodically      toggle  1.7.50
metrics_histogram_reservoir_resetting_chunks        integer 1.7.50
metrics_histogram_reservoir_resetting_interval_ms   integer 1.7.50
metrics_histogram_reservoir_significant_digits      integer 1.7.50
metrics_name_prefix                                 text    1.7.50
metrics_prometheus                                  toggle  1.7.50
metrics_statsd                                      toggle  1.7.50
metrics_statsd_host                                 text    1.7.50
metrics_statsd_port                                 integer 1.7.50
metrics_statsd_transmission_interval_ms             integer 1.7.50
min_revive_offers_interval                          integer 0.9.2
minimum_viable_task_execution_duration              integer 1.5.0-1.5.1
new_group_enforce_role                              text    1.9.64
no_logger                                           switch  1.1.0-1.5.0
offer_matching_timeout                              integer 0.11.0
on_elected_prepare_timeout                          integer 0.13.0
plugin_conf                                         text    0.13.0
plugin_dir                                          text    0.13.0
reconciliation_initial_delay                        integer 0.8.0
reconciliation_interval                             integer 0.8.0
reporter_datadog                                    text    0.13.0-1.8.180
reporter_graphite                                   text    0.13.0-1.8.180
revive_offers_for_new_apps                          switch  0.9.2-0.13.0
revive_offers_for_new_apps                          toggle  0.13.0-1.10.5
revive_offers_repetitions                           integer 0.11.0-1.10.5
save_tasks_to_launch_timeout                        integer 0.11.0-1.8.180
scale_apps_initial_delay                            integer 0.8.2
scale_apps_interval                                 integer 0.8.2
scheduler_actions_execution_context_size            integer 1.5.7-1.6.0 1.6.322
sentry                                              text    1.3.1
sentry_tags                                         text    1.3.1
ssl_keystore_password                               text    0.8.0
ssl_keystore_path                                   text    0.8.0
storage_compaction_interval                         integer 1.6.486
storage_compaction_scan_batch_size                  integer 1.6.486
storage_execution_context_size                      integer 1.5.7-1.6.0 1.6.322
store_cache                                         toggle  0.13.0
suppress_offers                                     toggle  1.5.11-1.6.0 1.6.535
task_launch_confirm_timeout                         integer 0.11.0
task_launch_notification_timeout                    integer 0.11.0-1.1.0
task_launch_timeout                                 integer 0.8.0
task_lost_expunge_gc                                integer 0.15.4-1.1.0 1.1.2-1.6.322
task_lost_expunge_initial_delay                     integer 0.15.4-1.1.0 1.1.2
task_lost_expunge_interval                          integer 0.15.4-1.1.0 1.1.2
task_operation_notification_timeout                 integer 1.1.0
task_reservation_timeout                            integer 1.1.0
task_tracker_request_timeout                        integer 0.15.0
task_update_request_timeout                         integer 0.15.0
tracing                                             toggle  0.13.0-1.5.0
webui_url                                           text    0.8.1
zk                                                  text    0.8.0
zk_compression                                      toggle  0.11.1
zk_compression_threshold                            integer 0.11.1
zk_connection_timeout                               integer 1.4.9
zk_hosts                                            text    0.8.0-0.9.0
zk_max_concurrency                                  integer 1.4.0
zk_max_node_size                                    integer 1.1.2
zk_max_versions                                     integer 0.8.0
zk_operation_base_retry_sleep_ms                    integer 1.5.12-1.6.0 1.6.486
zk_operation_max_retries                            integer 1.5.12-1.6.0 1.6.486
zk_session_timeout                                  integer 0.9.0
zk_state                                            text    0.8.0-0.9.0
zk_timeout                                          integer 0.8.0
"""

# The minor versions that were read.
OLDEST, NEWEST = "0.8", "1.10"

version = ""


def run():
    """Return the options of a version. See common/options.py. Keyword: ``version``."""
    return tree.run(
        "common/options.py", table=OPTIONS, oldest=OLDEST, newest=NEWEST, version=version
    )
