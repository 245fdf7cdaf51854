getent group docker > /dev/null || groupadd -r docker
