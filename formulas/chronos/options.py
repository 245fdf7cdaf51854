#!py
"""
The options of Chronos' command line, as data. Validation, plan.py and the fake Chronos read it.
common/options.py explains the columns. ``no_logger`` is an option of the launcher, in packages
built from 2016-07-29 on.

Source: the configuration classes of mesos/chronos at the release tags 2.3.2 to v3.0.2, and those of
mesosphere/chaos, which has the options of HTTP, at the version that each tag names. A range begins
with the first tag that has an option, and ends before the first that does not.
"""

OPTIONS = """
assets_path                      text    2.3.2
cassandra_consistency            text    2.3.2
cassandra_contact_points         text    2.3.2
cassandra_keyspace               text    2.3.2
cassandra_password               text    2.5.0
cassandra_port                   integer 2.3.2
cassandra_stat_count_table       text    2.3.3
cassandra_table                  text    2.3.2
cassandra_ttl                    integer 2.3.2
cassandra_user                   text    2.5.0
cluster_name                     text    2.3.2
decline_offer_duration           integer 2.4.0
disable_after_failures           integer 2.3.2
disable_http                     switch  2.5.0
failover_timeout                 integer 2.3.2
failure_retry                    integer 2.3.2
graphite_group_prefix            text    2.3.2
graphite_host_port               text    2.3.2
graphite_reporting_interval      integer 2.3.2
hostname                         text    2.3.2
http_address                     text    2.3.2
http_compression                 toggle  3.0.0
http_credentials                 text    2.3.2
http_notification_credentials    text    2.4.0
http_notification_url            text    2.4.0
http_port                        integer 2.3.2
http_realm                       text    2.3.2
https_address                    text    2.5.0
https_port                       integer 2.3.2
job_history_limit                integer 2.3.3
leader_max_idle_time             integer 2.3.2
mail_from                        text    2.3.2
mail_password                    text    2.3.2
mail_server                      text    2.3.2
mail_ssl                         switch  2.3.2
mail_user                        text    2.3.2
master                           text    2.3.2
mattermost_url                   text    3.0.0
mesos_authentication_principal   text    2.3.3
mesos_authentication_secret_file text    2.3.3
mesos_checkpoint                 fixed   2.3.2
mesos_framework_name             text    2.3.2
mesos_role                       text    2.3.2
mesos_task_cpu                   number  2.3.2
mesos_task_disk                  number  2.3.2
mesos_task_mem                   number  2.3.2
min_revive_offers_interval       integer 2.4.0
no_logger                        switch  2.5.0
raven_dsn                        text    2.3.2
reconciliation_interval          integer 2.3.2
revive_offers_for_new_jobs       switch  2.4.0
schedule_horizon                 integer 2.3.2-3.0.0
slack_channel                    text    2.3.2-2.3.3
slack_token                      text    2.3.2-2.3.3
slack_url                        text    2.3.2
ssl_keystore_password            text    2.3.2
ssl_keystore_path                text    2.3.2
task_epsilon                     integer 2.3.2
user                             text    2.3.2
webui_url                        text    2.3.2
zk_auth                          text    3.0.0
zk_hosts                         text    2.3.2
zk_path                          text    2.3.2
zk_timeout                       integer 2.3.2
"""

# The minor versions that were read.
OLDEST, NEWEST = "2.3", "3.0"

version = ""


def run():
    """Return the options of a version. See common/options.py. Keyword: ``version``."""
    return tree.run(
        "common/options.py", table=OPTIONS, oldest=OLDEST, newest=NEWEST, version=version
    )
