"""Old names of settings and of SLS files still work, and Salt reports them."""

import pytest

from lab import SALT_LINES

from .cases import single

CASES = {
    "new names": single("mesos-slave", "mesos", vendor="aventer", log_retention="3d"),
    "old names": single("mesos-slave", "mesos", flavour="aventer", logs_kept="3d"),
    "both names": {
        **single("mesos-slave", "mesos", flavour="apache", vendor="aventer"),
        "only": "validation",
    },
    "old name, invalid value": {
        **single("mesos-slave", "mesos", flavour="vanilla"),
        "only": "validation",
    },
    "old SLS": {**single("mesos-slave", "mesos", vendor="apache"), "sls": ["common.guard"]},
    "old SLS, error": {**single("mesos-slave", "mesos", vendor="vanilla"), "sls": ["common.guard"]},
}


@pytest.fixture(scope="module")
def answers_by_line(render):
    return render(CASES)


@pytest.fixture(params=SALT_LINES)
def answers(request, answers_by_line) -> dict[str, dict]:
    return answers_by_line[request.param]


def test_old_names_have_the_same_effect(answers):
    old, new = answers["old names"], answers["new names"]
    assert old["files"] == new["files"]
    states = [state for state in old["states"] if state["id"] != "settings-are-deprecated"]
    assert states == new["states"]


def test_old_names_are_reported_with_the_new_ones(answers):
    [report] = [
        state
        for state in answers["old names"]["states"]
        if state["function"] == "test.configurable_test_state"
    ]
    assert report["arguments"] == {
        "changes": False,
        "warnings": [
            "mesos:flavour is deprecated. Use mesos:vendor instead.",
            "mesos:logs_kept is deprecated. Use mesos:log_retention instead.",
        ],
    }


def test_both_names_at_once_are_an_error(answers):
    [message] = answers["both names"]["validation"]
    assert message.startswith("mesos:flavour = apache on lxdev01: the old name of mesos:vendor")


def test_values_of_old_names_are_validated(answers):
    [message] = answers["old name, invalid value"]["validation"]
    assert message.startswith("mesos:vendor = vanilla on lxdev01: no such vendor. Known: ")


def test_the_old_name_of_the_validating_sls_is_reported(answers):
    states = {state["id"]: state for state in answers["old SLS"]["states"]}
    assert list(states) == ["settings-are-known", "common-guard-is-deprecated"]
    assert states["common-guard-is-deprecated"]["arguments"]["warnings"] == (
        "common.guard is deprecated. Use common.validate instead."
    )


def test_the_old_name_of_the_validating_sls_stops_rendering_for_errors(answers):
    [message] = answers["old SLS, error"]["errors"]
    assert message.startswith("Rendering SLS 'base:common.invalid' failed: mesos:vendor = vanilla")
