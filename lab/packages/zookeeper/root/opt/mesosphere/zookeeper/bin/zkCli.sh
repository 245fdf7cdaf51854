#!/usr/bin/env bash
# ZooKeeper's shell, such as: zkCli.sh -server localhost:2181 ls /mesos
ZOOBINDIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "$ZOOBINDIR/zkEnv.sh"
# shellcheck disable=SC2086 # flags are words
exec "$JAVA" "-Dzookeeper.root.logger=WARN,CONSOLE" -cp "$CLASSPATH" $CLIENT_JVMFLAGS ${JVMFLAGS:-} \
  org.apache.zookeeper.ZooKeeperMain "$@"
