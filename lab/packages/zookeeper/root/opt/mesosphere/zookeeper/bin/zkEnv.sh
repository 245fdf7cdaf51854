#!/usr/bin/env bash
# Sourced by the scripts beside it: where ZooKeeper's configuration, log and classes are.
ZOOBINDIR=${ZOOBINDIR:-/opt/mesosphere/zookeeper/bin}
ZOOKEEPER_PREFIX=${ZOOBINDIR%/bin}
ZOOCFGDIR=${ZOOCFGDIR:-$ZOOKEEPER_PREFIX/conf}

# shellcheck disable=SC1091
if [ -f "$ZOOCFGDIR/zookeeper-env.sh" ]; then . "$ZOOCFGDIR/zookeeper-env.sh"; fi

ZOOCFG=$ZOOCFGDIR/${ZOOCFG:-zoo.cfg}

# shellcheck disable=SC1091
if [ -f "$ZOOCFGDIR/java.env" ]; then . "$ZOOCFGDIR/java.env"; fi

ZOO_LOG_DIR=${ZOO_LOG_DIR:-.}
ZOO_LOG4J_PROP=${ZOO_LOG4J_PROP:-INFO,CONSOLE}
JAVA=${JAVA_HOME:+$JAVA_HOME/bin/}java

for jar in "$ZOOKEEPER_PREFIX"/*.jar "$ZOOKEEPER_PREFIX"/lib/*.jar; do
  CLASSPATH=$jar${CLASSPATH:+:$CLASSPATH}
done
CLASSPATH=$ZOOCFGDIR:$CLASSPATH

SERVER_JVMFLAGS="-Xmx${ZK_SERVER_HEAP:-1000}m ${SERVER_JVMFLAGS:-}"
CLIENT_JVMFLAGS="-Xmx${ZK_CLIENT_HEAP:-256}m ${CLIENT_JVMFLAGS:-}"
export ZOOCFG ZOO_LOG_DIR ZOO_LOG4J_PROP JAVA CLASSPATH SERVER_JVMFLAGS CLIENT_JVMFLAGS
