"""The options of Chronos, by the version that introduced them.

Source: the configuration classes of mesos/chronos at its release tags.
"""

# Options with a value. Their default follows ``=``.
OPTIONS = {
    "2.3.4": """
        cassandra_consistency=ANY cassandra_contact_points cassandra_keyspace=metrics
        cassandra_port=9042
        cassandra_stat_count_table=chronos_stat_count cassandra_table=chronos
        cassandra_ttl=31536000 cluster_name
        disable_after_failures=0 failover_timeout=604800 failure_retry=60000
        graphite_group_prefix graphite_host_port
        graphite_reporting_interval=60 hostname job_history_limit=5
        leader_max_idle_time=5000 mail_from mail_password
        mail_server mail_user master=local mesos_authentication_principal
        mesos_authentication_secret_file
        mesos_framework_name=chronos mesos_role=* mesos_task_cpu=0.1 mesos_task_disk=256
        mesos_task_mem=128 raven_dsn
        reconciliation_interval=600 schedule_horizon=60 slack_url task_epsilon=60 user=root
        webui_url
        zk_hosts=localhost:2181 zk_path=/chronos/state zk_timeout=10000
        http_address http_port=8080 https_address https_port=8443 http_credentials ssl_keystore_path
        ssl_keystore_password
    """,
    "2.4.0": """
        decline_offer_duration http_notification_url http_notification_credentials
        min_revive_offers_interval=5000
    """,
    "2.5.0": "cassandra_user cassandra_password",
    "3.0.0": "mattermost_url zk_auth",
}

# Options that are on or off. Their default follows ``=``.
TOGGLES = {
    "2.3.4": "mesos_checkpoint=on mail_ssl=off http=on http_compression=on",
    "2.4.0": "revive_offers_for_new_jobs=off",
}

# Version -> options that it removed. It does not start with one of them.
REMOVED = {"3.0.0": "schedule_horizon"}

NUMBERS = """
    cassandra_port disable_after_failures failover_timeout failure_retry http_port
    https_port job_history_limit
    leader_max_idle_time reconciliation_interval schedule_horizon task_epsilon zk_timeout
"""
