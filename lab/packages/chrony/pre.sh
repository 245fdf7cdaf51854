getent group chrony > /dev/null || groupadd -r chrony
getent passwd chrony > /dev/null || useradd -r -g chrony -d /var/lib/chrony -s /sbin/nologin chrony
