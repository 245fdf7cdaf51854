#!/usr/bin/env bash
# Controls a ZooKeeper server: start-foreground runs it, status asks it for its mode.
ZOOBINDIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "$ZOOBINDIR/zkEnv.sh"

command=${1:-}
if [ -n "${2:-}" ]; then ZOOCFG=$ZOOCFGDIR/$2; fi

setting() { # name
  sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//p" "$ZOOCFG" | tail -n 1
}

case $command in
  start-foreground)
    echo "ZooKeeper JMX enabled by default" >&2
    echo "Using config: $ZOOCFG" >&2
    mkdir -p "$(setting dataDir)"
    # shellcheck disable=SC2086 # flags are words
    exec "$JAVA" "-Dzookeeper.log.dir=$ZOO_LOG_DIR" "-Dzookeeper.root.logger=$ZOO_LOG4J_PROP" \
      -Dcom.sun.management.jmxremote -Dcom.sun.management.jmxremote.local.only=${JMXLOCALONLY:-false} \
      -cp "$CLASSPATH" $SERVER_JVMFLAGS ${JVMFLAGS:-} org.apache.zookeeper.server.quorum.QuorumPeerMain "$ZOOCFG"
    ;;
  status)
    exec 3<>"/dev/tcp/${clientAddress:-localhost}/$(setting clientPort)" || exit 1
    printf srvr >&3
    grep Mode <&3 || { echo "Error contacting service. It is probably not running."; exit 1; }
    ;;
  *)
    echo "Usage: $0 {start-foreground|status}" >&2
    exit 1
    ;;
esac
