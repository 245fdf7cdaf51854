"""
Formulas without Salt, in this process: validation and the files of a node in milliseconds.

``test_in_process.py`` compares the result with that of the real Salt.
"""

import copy
import functools
import importlib.util
import json
import pickle
from pathlib import Path
from types import SimpleNamespace

import jinja2
import yaml
from jinja2.ext import Extension
from jinja2.nodes import Assign, Call, Name

from lab import ROOT

FORMULAS = ROOT / "formulas"
GRAINS = {"id": "lxdev01", "os": "CentOS", "os_family": "RedHat", "osmajorrelease": 7}
# The SLS with the files of each formula.
FILE_SLS = {
    "common": ["repositories", "time", "sysctl", "journald", "firewall"],
    "zookeeper": ["package", "config"],
    "mesos": ["package", "config", "master.config", "slave.config"],
    "marathon": ["package", "config", "apps"],
    "chronos": ["package", "config", "jobs"],
    "docker": ["package", "config"],
}
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ImportYaml(Extension):
    """Salt's ``import_yaml``."""

    tags = {"import_yaml"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        path = parser.parse_expression()
        parser.stream.expect("name:as")
        target = parser.parse_assign_target(name_only=True)
        call = Call(Name("read_yaml", "load"), [path], [], None, None)
        return Assign(target, call).set_lineno(line)


def to_json(value, sort_keys=True):
    """Return a value as Salt's filter ``json`` does."""
    return json.dumps(value, sort_keys=sort_keys, ensure_ascii=False)


@functools.lru_cache(maxsize=2000)
def _pickled_yaml(text):
    return pickle.dumps(yaml.load(text, LOADER))


def load_yaml(text):
    """Return the value of a YAML document, which the caller may change. Parses a text once."""
    return pickle.loads(_pickled_yaml(text))


def merge(base, settings):
    """Merge two mappings as ``slsutil.merge`` does."""
    return _merged(copy.deepcopy(base), copy.deepcopy(settings))


def _merged(base, settings):
    merged = dict(base)
    for key, value in settings.items():
        is_section = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if is_section else value
    return merged


class Formulas:
    """The formulas, each file read once."""

    def __init__(self):
        self.sources = {}
        self.texts = {}
        self.environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(FORMULAS),
            extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols", ImportYaml],
            undefined=jinja2.StrictUndefined,
            auto_reload=False,
        )
        self.environment.filters["json"] = to_json
        self.environment.globals["read_yaml"] = self.read_yaml

    def read_yaml(self, path):
        """Return a YAML file of the formulas."""
        if path not in self.texts:
            self.texts[path] = (FORMULAS / path).read_text()
        return load_yaml(self.texts[path])

    def module(self, path):
        """Execute a Python file of the formulas and return its module."""
        if path not in self.sources:
            source = (FORMULAS / path).read_text()
            self.sources[path] = compile(source, str(FORMULAS / path), "exec")
        spec = importlib.util.spec_from_loader(Path(path).stem, None)
        module = importlib.util.module_from_spec(spec)
        exec(self.sources[path], vars(module))
        return module


class Minion:
    """A node with some grains and pillar."""

    def __init__(self, formulas, pillar, roles=(), **grains):
        self.formulas, self.pillar = formulas, pillar
        self.grains = {**GRAINS, "roles": list(roles), **grains}
        self.functions = {
            "slsutil.renderer": lambda _path: self.tree(),
            "slsutil.merge": merge,
            "pillar.get": lambda name, default=None: pillar.get(name, default),
            "pkg.version": lambda name: "",
            "cp.cache_file": lambda url: str(FORMULAS / url.removeprefix("salt://")),
        }

    def tree(self):
        """Return a Tree of common/tree.py which reads and compiles each file once."""
        formulas = self.formulas
        base = formulas.module("common/tree.py").Tree

        class CachedTree(base):
            def data(self, path):
                return formulas.read_yaml(path)

            def _module(self, path):
                return formulas.module(path)

        return CachedTree(self.functions, self.grains, self.pillar)

    def render(self, path, **keywords):
        """Return the result of a Python file of the formulas."""
        return self.tree().run(path, **keywords)

    def errors(self):
        """Return the errors that validation reports."""
        return self.render("common/validation.py")

    def template(self, path, context):
        """Return the text of a template."""
        template = self.formulas.environment.get_template(path)
        grains = SimpleNamespace(**self.grains)
        return template.render(salt=self.functions, grains=grains, pillar=self.pillar, **context)

    def states(self, sls):
        """Return the states of an SLS: id -> function -> arguments."""
        path = sls.replace(".", "/") + ".sls"
        return load_yaml(self.template(path, {"sls": sls}))

    def files(self, formula):
        """Return the files of a formula, path -> text; flags of a directory are a mapping."""
        files = {}
        for function, arguments in self.declarations(formula):
            files.update(self._files(function, arguments))
        return files

    def declarations(self, formula):
        """Yield function and arguments of each state in the SLS of a formula that write files."""
        for name in FILE_SLS[formula]:
            for declaration in self.states(f"{formula}.{name}").values():
                if isinstance(declaration, dict):
                    yield from declaration.items()

    def _files(self, function, arguments):
        merged = {key: value for item in arguments for key, value in item.items()}
        if function == "mesos.flags_managed":
            yield merged["name"], merged.get("flags", {})
        if function != "file.managed":
            return
        for item in merged.get("names", [merged.get("name")]):
            [(path, own_arguments)] = item.items() if isinstance(item, dict) else [(item, [])]
            options = {
                **merged,
                **{key: value for pair in own_arguments for key, value in pair.items()},
            }
            yield path, self._contents(options)

    def _contents(self, options):
        if "source" not in options:
            return options["contents"]
        source = options["source"].removeprefix("salt://")
        if "template" not in options:
            return (FORMULAS / source).read_text()
        return self.template(source, options.get("context") or {}) + "\n"
