getent group marathon > /dev/null || groupadd -r marathon
getent passwd marathon > /dev/null || useradd -r -g marathon -d /usr/share/marathon -s /sbin/nologin marathon
