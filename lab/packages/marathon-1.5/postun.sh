if [ "$1" -eq 0 ]; then
  userdel marathon || :
fi
