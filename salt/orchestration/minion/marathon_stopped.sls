# On a node with Marathon: stop it in a turn, and keep it stopped over a reboot. The states of the
# formula start it again. orchestration.upgrade applies it.

include:
  - common.turn

marathon-is-stopped:
  withdrawn.stopped:
    - name: marathon
    - daemons:
      - {role: marathon, unit: marathon, control: true}
    - reason: the store is about to be migrated
