"""
The defaults of Marathon's options, by the version that first has them. The options themselves are
in the table of the formula, formulas/marathon/options.py, which explains it.

Source: the configuration classes of mesosphere/marathon at its release tags.
"""

from ..wire import formula_data

TABLE: str = formula_data.read("marathon/options.py")["OPTIONS"]

# Options with a value.
DEFAULTS = {
    "0.8": """
        zk=zk://localhost:2181/marathon zk_timeout=10000 framework_name=marathon
        failover_timeout=604800 executor=//cmd local_port_min=10000 local_port_max=20000
        reconciliation_initial_delay=15000 reconciliation_interval=600000
        scale_apps_initial_delay=15000 scale_apps_interval=300000
        task_launch_timeout=300000 task_launch_confirm_timeout=300000
        task_reservation_timeout=20000 zk_max_versions=50
        http_port=8080 https_port=8443 http_realm=Mesosphere
    """,
    "0.11": """
        decline_offer_duration=120000 zk_session_timeout=10000 zk_compression_threshold=65536
        leader_proxy_connection_timeout=5000 leader_proxy_read_timeout=10000
        min_revive_offers_interval=5000 revive_offers_repetitions=3
        event_stream_max_outstanding_messages=50 save_tasks_to_launch_timeout=3000 launch_tokens=100
        launch_token_refresh_interval=30000 offer_matching_timeout=3000
        on_elected_prepare_timeout=180000 max_tasks_per_offer=5
        http_event_callback_slow_consumer_timeout=10000 http_event_request_timeout=10000
    """,
    "0.13": "metrics_averaging_window=30000",
    "1.1.2": """
        zk_max_node_size=1024000 task_lost_expunge_gc=75 task_lost_expunge_initial_delay=300000
        task_lost_expunge_interval=30000 internal_store_backend=zk
    """,
    "1.3": """
        mesos_heartbeat_interval=15000 mesos_heartbeat_failure_threshold=5 kill_chunk_size=100
        kill_retry_timeout=10000
    """,
    "1.4": "max_instances_per_offer=100 zk_max_concurrency=32",
    "1.5": "mesos_bridge_name=mesos-bridge max_parallel_offers=100",
    "1.6": """
        draining_seconds=0 max_running_deployments=100 gpu_scheduling_behavior=restricted
        zk_operation_max_retries=5 zk_operation_base_retry_sleep_ms=10
    """,
    "1.7": """
        group_versions_cache_size=1000 metrics_statsd_transmission_interval_ms=10000
        metrics_datadog_protocol=udp metrics_datadog_transmission_interval_ms=10000
        metrics_name_prefix=marathon
    """,
    "1.8": """
        instance_tracker_update_queue_size=20480 max_instances_per_offer=5
        min_revive_offers_interval=30000 zk_connection_timeout=10000
    """,
    "1.9": "new_group_enforce_role=off",
}

# Toggles that are on by default.
ON = """
    ha checkpoint http_compression zk_compression revive_offers_for_new_apps metrics store_cache
    metrics_prometheus maintenance_mode
"""
