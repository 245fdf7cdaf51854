"""
The defaults of Chronos' options, by the version that first has them. The options themselves are in
the table of the formula, formulas/chronos/options.py, which explains it.

Source: the configuration classes of mesos/chronos at its release tags.
"""

from ..wire import formula_data

TABLE: str = formula_data.read("chronos/options.py")["OPTIONS"]

# Options with a value.
DEFAULTS = {
    "2.3": """
        cassandra_consistency=ANY cassandra_keyspace=metrics cassandra_port=9042
        cassandra_stat_count_table=chronos_stat_count cassandra_table=chronos cassandra_ttl=31536000
        disable_after_failures=0 failover_timeout=604800 failure_retry=60000
        graphite_reporting_interval=60 job_history_limit=5 leader_max_idle_time=5000
        master=local mesos_framework_name=chronos mesos_role=*
        mesos_task_cpu=0.1 mesos_task_disk=256 mesos_task_mem=128
        reconciliation_interval=600 schedule_horizon=60 task_epsilon=60 user=root
        zk_hosts=localhost:2181 zk_path=/chronos/state zk_timeout=10000 http_port=8080
    """,
    "2.4": "min_revive_offers_interval=5000",
}

# Options without a value that are on by default.
ON = "mesos_checkpoint http_compression"
