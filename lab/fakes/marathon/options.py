"""The options of Marathon, as data: by the version that first has them, and those that went away.

Source: the configuration classes of mesosphere/marathon at its release tags.
"""

# Options with a value. The default follows ``=``.
OPTIONS = {
    "0.8": """
        master zk=zk://localhost:2181/marathon zk_timeout=10000 hostname framework_name=marathon
        mesos_role mesos_user
        failover_timeout=604800 executor=//cmd webui_url local_port_min=10000 local_port_max=20000
        access_control_allow_origin mesos_authentication_principal mesos_authentication_secret_file
        reconciliation_initial_delay=15000 reconciliation_interval=600000
        scale_apps_initial_delay=15000
        scale_apps_interval=300000 task_launch_timeout=300000 task_launch_confirm_timeout=300000
        task_reservation_timeout=20000 logging_level zk_max_versions=50
        http_address http_port=8080 https_address https_port=8443 http_credentials
        http_realm=Mesosphere
        ssl_keystore_path ssl_keystore_password assets_path
    """,
    "0.11": """
        decline_offer_duration=120000 env_vars_prefix zk_session_timeout=10000
        zk_compression_threshold=65536 max_apps
        leader_proxy_connection_timeout=5000 leader_proxy_read_timeout=10000
        min_revive_offers_interval=5000
        revive_offers_repetitions=3 mesos_leader_ui_url default_accepted_resource_roles
        http_max_concurrent_requests
        event_stream_max_outstanding_messages=50 save_tasks_to_launch_timeout=3000 launch_tokens=100
        launch_token_refresh_interval=30000 offer_matching_timeout=3000
        on_elected_prepare_timeout=180000
        max_tasks_per_offer=5 http_endpoints http_event_callback_slow_consumer_timeout=10000
        http_event_request_timeout=10000 event_subscriber artifact_store reporter_graphite
        reporter_datadog
    """,
    "0.13": "plugin_dir plugin_conf metrics_averaging_window=30000",
    "1.1.2": """
        enable_features zk_max_node_size=1024000 task_lost_expunge_gc=75
        task_lost_expunge_initial_delay=300000
        task_lost_expunge_interval=30000 internal_store_backend=zk
    """,
    "1.3": """
        mesos_authentication_secret default_network_name mesos_heartbeat_interval=15000
        mesos_heartbeat_failure_threshold=5 kill_chunk_size=100 kill_retry_timeout=10000 logstash
        leader_election_backend
    """,
    "1.4": "max_instances_per_offer=100 zk_max_concurrency=32",
    "1.5": "backup_location mesos_bridge_name=mesos-bridge max_parallel_offers=100",
    "1.6": """
        draining_seconds=0 max_running_deployments=100 gpu_scheduling_behavior=restricted
        deprecated_features
        zk_operation_max_retries=5 zk_operation_base_retry_sleep_ms=10
        zk_operation_max_retry_sleep_ms
    """,
    "1.7": """
        group_versions_cache_size=1000 metrics_statsd_host metrics_statsd_port
        metrics_statsd_prefix=marathon
        metrics_statsd_transmission_interval_ms=10000 metrics_datadog_protocol=udp
        metrics_datadog_host
        metrics_datadog_port metrics_datadog_api_key metrics_datadog_prefix=marathon
        metrics_datadog_transmission_interval_ms=10000 metrics_name_prefix=marathon
        metrics_prometheus_prefix
    """,
    "1.8": """
        instance_tracker_update_queue_size=20480 instance_tracker_max_concurrent_updates=8
        max_instances_per_offer=5 min_revive_offers_interval=30000 zk_connection_timeout=10000
    """,
    "1.9": "new_group_enforce_role=off",
}

# Toggles. The default follows ``=``.
TOGGLES = {
    "0.8": "ha=on checkpoint=on http=on http_compression=on tracing=off mesos_authentication=off",
    "0.11": "zk_compression=on leader_proxy_ssl_ignore_hostname=off revive_offers_for_new_apps=on",
    "0.13": "metrics=on store_cache=on",
    "1.6": "suppress_offers=off",
    "1.7": "metrics_prometheus=on metrics_statsd=off metrics_datadog=off maintenance_mode=on",
}

# Options by the first version that does not have them. Using one is fatal.
REMOVED = {
    "1.5": """
        artifact_store event_subscriber http_endpoints http_event_callback_slow_consumer_timeout
        http_event_request_timeout max_tasks_per_offer tracing
    """,
    "1.6": "task_lost_expunge_gc",
    "1.8": """
        reporter_graphite reporter_datadog save_tasks_to_launch_timeout metrics_averaging_window
    """,
    "1.10": "revive_offers_for_new_apps revive_offers_repetitions",
}

NUMBERS = """
    failover_timeout http_port https_port kill_chunk_size launch_tokens local_port_max
    local_port_min max_apps
    max_instances_per_offer max_parallel_offers max_running_deployments max_tasks_per_offer
    reconciliation_initial_delay
    reconciliation_interval revive_offers_repetitions scale_apps_initial_delay scale_apps_interval
    task_launch_timeout
    zk_max_concurrency zk_max_node_size zk_max_versions zk_session_timeout zk_timeout
    zk_connection_timeout zk_compression_threshold
    http_max_concurrent_requests
"""
