"""common/tree.py: one Tree for all templates of a run of states."""

import copy
import importlib.util

from lab import ROOT

PILLAR = {"mesos": {"zk": "zk://cc01:2181/mesos"}}


class Functions(dict):
    """Execution functions, as Salt's loaders an object with attributes."""


def tree_of(functions, pillar):
    """Return what a template gets that calls ``slsutil.renderer`` for tree.py."""
    spec = importlib.util.spec_from_file_location("tree", ROOT / "formulas/common/tree.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    vars(module).update(__salt__=functions, __grains__={}, __pillar__=pillar)
    return module.run()


def test_templates_of_one_run_share_a_tree():
    functions = Functions({"cp.cache_file": None})
    assert tree_of(functions, PILLAR) is tree_of(functions, copy.deepcopy(PILLAR))


def test_another_pillar_gets_another_tree():
    functions = Functions({"cp.cache_file": None})
    assert tree_of(functions, PILLAR) is not tree_of(functions, {"mesos": {}})


def test_another_run_gets_another_tree():
    functions = {"cp.cache_file": None}
    assert tree_of(Functions(functions), PILLAR) is not tree_of(Functions(functions), PILLAR)


def test_a_file_is_fetched_and_parsed_once(tmp_path):
    (tmp_path / "data.yaml").write_text("key: value")
    urls = []

    def cache_file(url):
        urls.append(url)
        return str(tmp_path / "data.yaml")

    tree = tree_of(Functions({"cp.cache_file": cache_file}), PILLAR)
    assert tree.data("common/data.yaml") is tree.data("common/data.yaml")
    assert urls == ["salt://common/data.yaml"]
