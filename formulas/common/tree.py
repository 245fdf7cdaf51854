#!py
"""
The Python files and the data of this tree, for templates and for each other.

Each call of ``slsutil.renderer`` makes a loader of renderers, which takes longer than most of what
it renders. So a template calls it once, for this file::

    {%- set tree = salt['slsutil.renderer']('salt://common/tree.py') %}

and gets a Tree. Every Python file that the Tree runs has it as its keyword ``tree``. All templates
of one run of Salt share a Tree, so files are fetched and settings are merged once. What it returns
must not be changed.
"""

import importlib.util
import os

import yaml

# Attribute of Salt's loader of functions, which is made anew for each run of states.
TREE_ATTRIBUTE = "salt_mesos_tree"
# Which is written in C and is much faster, where Salt brings it.
YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Tree:
    """
    The files of this tree, with paths as on the file server: ``common/roles.yaml``.

    functions, grains, pillar
        ``__salt__``, ``__grains__`` and ``__pillar__`` of this node.
    """

    def __init__(self, functions, grains, pillar):
        self._names = {"__salt__": functions, "__grains__": grains, "__pillar__": pillar}
        self._cache_file = _cache_file(functions)
        self._paths = {}
        self._data = {}
        self._settings = {}

    def is_for(self, pillar):
        """Return whether the Tree has this pillar. Salt 3008 passes a new copy to each template."""
        return self._names["__pillar__"] == pillar

    @property
    def node(self):
        """This node's roles and release, see common/settings.py."""
        return self.settings("")

    def settings(self, formula):
        """Return the merged settings of a formula, see common/settings.py."""
        if formula not in self._settings:
            self._settings[formula] = self.run("common/settings.py", formula=formula)
        return self._settings[formula]

    def data(self, path):
        """Return the contents of a YAML file, which is read once and must not be changed."""
        if path not in self._data:
            with open(self._local(path), encoding="utf-8") as file:
                self._data[path] = yaml.load(file, YAML_LOADER)
        return self._data[path]

    def run(self, path, **keywords):
        """Return the result of ``run()`` in a Python file, whose globals the keywords replace."""
        module = self._module(path)
        vars(module).update(self._names, tree=self, **keywords)
        return module.run()

    def _module(self, path):
        name = os.path.splitext(os.path.basename(path))[0]
        spec = importlib.util.spec_from_file_location(name, self._local(path))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def _local(self, path):
        """Return where a file is on this machine. FileNotFoundError if there is none."""
        if path not in self._paths:
            url = "salt://" + path
            local = self._cache_file(url)
            if not local:
                raise FileNotFoundError(
                    f"{url} is not on the file server. It needs the directory formulas as a root."
                )
            self._paths[path] = local
        return self._paths[path]


def _cache_file(functions):
    """
    Return the function that fetches a file and returns its path.

    With salt-ssh, Salt renders before the host has any file, and has a client of files for that. In
    Salt 3006 it has no cp.cache_file, so that the host would be asked.
    """
    # An attribute that there is not makes a loader of functions look into all modules.
    client = getattr(functions, "__dict__", {}).get("fsclient")
    return client.cache_file if client else functions["cp.cache_file"]


def _value(name):
    """Return what ``__salt__`` or another of Salt's names stands for during this rendering."""
    return name.value() if hasattr(type(name), "value") else name


def run():
    """Return the Tree of this run, which is another one after pillar was compiled again."""
    functions, pillar = _value(__salt__), _value(__pillar__)
    attributes = getattr(functions, "__dict__", {})
    tree = attributes.get(TREE_ATTRIBUTE)
    if tree is None or not tree.is_for(pillar):
        tree = attributes[TREE_ATTRIBUTE] = Tree(functions, _value(__grains__), pillar)
    return tree
