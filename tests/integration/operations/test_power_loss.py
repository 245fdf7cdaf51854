"""All hosts lose power at the same time, and come back in any order."""

import random

import pytest
from ha_cluster import (
    HOSTS,
    apply_all,
    changes,
    check_healthy,
    failures,
    no_turn_is_left,
    persistent_znodes,
    wait_for_pages,
)

pytestmark = pytest.mark.lines("3008")


def test_after_the_loss_of_all_power_everything_is_back_without_a_hand(ha):
    ha.orchestrated("apps")
    wait_for_pages("http-server")
    znodes = persistent_znodes(ha, "lxcc01")
    order = random.sample(HOSTS, len(HOSTS))
    print("order:", *order)
    for host in HOSTS:
        ha.do("kill", host)
    for host in order:
        ha.do("start", host)
    check_healthy(ha)
    assert wait_for_pages("http-server")
    assert persistent_znodes(ha, "lxcc01") >= znodes
    done = apply_all(ha)
    assert failures(done) == [] and not any(changes(done).values())
    assert no_turn_is_left(ha)
    assert ha.orchestrated("apps")[1] == []
