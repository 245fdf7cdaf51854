# Written for an installation alone: rpm's 2, an upgrade, is unknown to it.
case "$1" in
  1)
    systemctl daemon-reload
    systemctl enable marathon
    ;;
  *)
    echo "postinst called with unknown argument \`$1'" >&2
    exit 1
    ;;
esac
