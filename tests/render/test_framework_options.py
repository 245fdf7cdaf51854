"""
The options of each version of Marathon and Chronos are those of its source, and other options are
rejected before a daemon would exit with them.

The data was read in the classes that extend ScallopConf, in mesosphere/marathon and mesos/chronos
at their release tags, and in mesosphere/chaos at the version that each tag names: by tag, what it
adds, by type, and what it removes.
"""

import json
import re

import pytest

from lab import ROOT

from .in_process import Formulas, Minion

FORMULAS = Formulas()
SOURCE = json.loads((ROOT / "tests/unit/data/framework-options.json").read_text())
# A switch that is on by default, which the source does not tell from others by its class.
FIXED = {"marathon": ["checkpoint", "ha"], "chronos": ["mesos_checkpoint"]}


def options_by_tag(formula: str) -> dict[str, dict[str, str]]:
    """Return name and type of each option at every tag."""
    options, by_tag = {}, {}
    for tag, changes in SOURCE[formula].items():
        for name in changes.get("removed", "").split():
            del options[name]
        for option_type, names in changes.items():
            if option_type != "removed":
                options.update(dict.fromkeys(names.split(), option_type))
        by_tag[tag] = dict(options)
    return by_tag


@pytest.mark.parametrize("formula", SOURCE)
def test_the_options_of_a_version_are_those_of_its_source(formula):
    for tag, options in options_by_tag(formula).items():
        data = Minion(FORMULAS, {}).render(f"{formula}/options.py", version=tag)
        types = {name: kind for name, kind in data["types"].items() if name != "no_logger"}
        for name in FIXED[formula]:
            if types[name] == "fixed":
                types[name] = "switch"
        assert types == options, tag
        assert data["is_complete"] and not types.keys() & data["ranges"].keys()


def errors(formula: str, version: str, **options: object) -> list[str]:
    pillar = {formula: {"version": version, "options": options}}
    return Minion(FORMULAS, pillar, [formula]).errors()


REJECTED = {
    "removed": (
        "marathon",
        "1.8.244",
        {"event_subscriber": "http_callback"},
        "event_subscriber = http_callback .* Marathon 1.8.244 does not have this option. "
        "Versions that do: from 0.8.0 on before 1.5.0.",
    ),
    "newer": (
        "marathon",
        "1.4.13",
        {"backup_location": "file:///srv/marathon"},
        "Marathon 1.4.13 does not have this option. Versions that do: from 1.5.0 on.",
    ),
    "missing between two versions": (
        "marathon",
        "1.6.0",
        {"suppress_offers": True},
        "does not have this option. "
        "Versions that do: from 1.5.11 on before 1.6.0, from 1.6.535 on.",
    ),
    "misspelt": (
        "marathon",
        "1.8.244",
        {"task_launch_timeuot": 1000},
        "no such option of Marathon 1.8.244. Did you mean task_launch_timeout?",
    ),
    "not an integer": (
        "marathon",
        "1.8.244",
        {"zk_session_timeout": "10secs"},
        "zk_session_timeout = 10secs .* should be an integer.",
    ),
    "an option with a value, without one": (
        "marathon",
        "1.8.244",
        {"framework_name": True},
        "needs a value: should be text or a number.",
    ),
    "a toggle in quotes": ("marathon", "1.8.244", {"ha": "true"}, "an option without a value"),
    "a double negative": ("marathon", "1.8.244", {"disable_ha": False}, "Set ha: true."),
    "a switch has no form with disable_": (
        "chronos",
        "2.5.0",
        {"disable_mail_ssl": True},
        "no such option of Chronos 2.5.0. Did you mean mail_ssl?",
    ),
    "nothing turns a fixed switch off": (
        "chronos",
        "2.5.0",
        {"mesos_checkpoint": False},
        "Chronos has no option that turns it off. Leave it out.",
    ),
    "of the HTTP library": (
        "chronos",
        "2.5.0",
        {"http_compression": True},
        "Chronos 2.5.0 does not have this option. Versions that do: from 3.0.0 on.",
    ),
    "removed from Chronos": (
        "chronos",
        "3.0.2",
        {"schedule_horizon": 60},
        "Chronos 3.0.2 does not have this option. Versions that do: from 2.3.2 on before 3.0.0.",
    ),
    "not a number": ("chronos", "2.5.0", {"mesos_task_cpu": "half"}, "should be a number."),
}


@pytest.mark.parametrize("case", REJECTED)
def test_an_option_with_which_the_program_would_exit_is_rejected(case):
    formula, version, options, message = REJECTED[case]
    [error] = errors(formula, version, **options)
    assert re.search(message, error), error


@pytest.mark.parametrize(
    "formula, version, options",
    [
        ("marathon", "1.4.13", {"event_subscriber": "http_callback", "disable_tracing": True}),
        ("marathon", "1.8.244", {"maintenance_mode": False, "enable_features": "secrets"}),
        ("marathon", "1.4.13", {"no_logger": True}),
        ("marathon", "1.8.244", {"task_launch_timeuot": None}),
        ("marathon", "1.11.24", {"an_option_of_later": 5}),
        ("chronos", "2.5.0", {"mail_ssl": False, "mesos_task_cpu": 0.5, "no_logger": True}),
        ("chronos", "3.0.2", {"http_compression": False, "zk_auth": None}),
    ],
)
def test_an_option_that_the_version_has_is_accepted(formula, version, options):
    assert errors(formula, version, **options) == []


def test_false_is_written_for_toggles_only():
    pillar = {"chronos": {"version": "3.0.2", "options": {"mail_ssl": False}}}
    pillar["chronos"]["options"]["http_compression"] = False
    flags = Minion(FORMULAS, pillar, ["chronos"]).files("chronos")["/etc/chronos/conf"]
    assert flags["?disable_http_compression"] is True
    assert not [name for name in flags if "mail_ssl" in name]
