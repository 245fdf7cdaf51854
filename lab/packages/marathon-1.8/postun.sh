# Written for dpkg's words; rpm's numbers are unknown to it, so that the user stays.
case "$1" in
  purge) userdel marathon ;;
  *)
    echo "postrm called with unknown argument \`$1'" >&2
    exit 1
    ;;
esac
