"""
The options of each release of EL are those of its systemd, and systemd takes what validation
accepts: the section Service of a unit, and journald.conf.

The data was read in load-fragment-gperf.gperf and journald-gperf.gperf of systemd 219 of RHEL 7,
239 of RHEL 8 and 252 of RHEL 9, without the options that systemd itself calls obsolete.
"""

import json
import re

import pytest

from lab import ROOT

from .in_process import Formulas, Minion

FORMULAS = Formulas()
SOURCE = json.loads((ROOT / "tests/unit/data/systemd-options.json").read_text())


@pytest.mark.parametrize("release", [7, 8, 9])
@pytest.mark.parametrize("section", SOURCE)
def test_the_options_of_a_release_are_those_of_its_systemd(section, release):
    systemd = Minion(FORMULAS, {}).render("common/systemd_options.py")
    types, releases = systemd.known_options(section, release)
    assert sorted(types) == SOURCE[section][str(release)].split()
    assert not types.keys() & releases.keys()


def errors(release: int, **unit: object) -> list[str]:
    pillar = {"mesos": {"version": "1.9.0", "vendor": "mesosphere", "master": {"unit": unit}}}
    return Minion(FORMULAS, pillar, ["mesos-master"], osmajorrelease=release).errors()


@pytest.mark.parametrize(
    "release, unit, message",
    [
        (7, {"RestartSek": 5}, "no such option .* Did you mean RestartSec?"),
        (7, {"MemoryMax": "2G"}, "EL 7 does not have this option, only that of EL 8 and later"),
        (7, {"RestartSec": "5 minuets"}, "not a duration"),
        (7, {"CPUAccounting": "maybe"}, "should be true or false"),
        (7, {"Delegate": "cpu memory"}, "should be true or false"),
        (8, {"Delegate": "cpu memori"}, "controllers of cgroups"),
        (7, {"TasksMax": 0}, "not a number of tasks"),
        (7, {"LimitNPROC": "many"}, "not a limit"),
        (7, {"MemoryLimit": "2GB"}, "not a size"),
        (7, {"Restart": "allways"}, "should be no, always"),
        (7, {"Type": "simpel"}, "should be simple"),
        (7, {"Nice": 20}, "from -20 to 19"),
        (7, {"OOMScoreAdjust": -1001}, "from -1000 to 1000"),
        (7, {"UMask": "rwx"}, "octal digits"),
        (7, {"CPUQuota": 50}, "not a percentage"),
    ],
)
def test_an_option_that_systemd_would_ignore_is_rejected(release, unit, message):
    [error] = errors(release, **unit)
    assert re.search(message, error), error


@pytest.mark.parametrize(
    "release, unit",
    [
        (7, {"Delegate": True, "TasksMax": "infinity", "RestartSec": "1min 30s", "Nice": -5}),
        (8, {"Delegate": "cpu memory", "MemoryMax": "80%", "CPUWeight": 200}),
        (9, {"LimitNOFILE": "1024:65536", "OOMPolicy": "continue", "Restart": "on-failure"}),
        (7, {"Environment": ["A=1", "B=2"], "UMask": "0027", "KillSignal": "SIGTERM"}),
        (7, {"RestartSek": None}),
    ],
)
def test_an_option_that_systemd_reads_is_accepted(release, unit):
    assert errors(release, **unit) == []


@pytest.mark.parametrize(
    "release, options, message",
    [
        (7, {"SystemMaxUsed": "1G"}, "no such option .* Did you mean SystemMaxUse?"),
        (7, {"SystemMaxFiles": 10}, "systemd of EL 7 does not have this option"),
        (7, {"SystemMaxUse": "1GB"}, "not a size"),
        (7, {"Storage": "disk"}, "should be volatile"),
        (9, {"MaxLevelStore": "warn"}, "should be emerg"),
        (8, {"MaxRetentionSec": "1 moon"}, "not a duration"),
    ],
)
def test_an_option_that_journald_would_ignore_is_rejected(release, options, message):
    pillar = {"common": {"journald": options}}
    [error] = Minion(FORMULAS, pillar, osmajorrelease=release).errors()
    assert error.startswith("common:journald:") and re.search(message, error), error


def test_options_that_journald_reads_are_accepted():
    options = {"SystemMaxUse": "1.5G", "MaxRetentionSec": "1month", "ForwardToSyslog": False}
    pillar = {"common": {"journald": {**options, "MaxLevelStore": "debug", "SplitMode": None}}}
    assert Minion(FORMULAS, pillar, osmajorrelease=7).errors() == []
