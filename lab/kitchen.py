"""
Read ``kitchen.yml`` as test-kitchen and its provisioner kitchen-salt do, without either of them.

So a test can do what ``kitchen test`` does:

    instances      suites on platforms, and their settings: the file is rendered by ERB, and a
                   suite's settings are merged over those of its platform and of the file
    sandbox        the tree that is copied to /tmp/kitchen of an instance: states, modules, pillar,
                   the configuration of the minion
    converge       the command that then runs on the instance
    machine_state  what the driver proxy knows of an existing machine
    verify         the command that runs on this machine after that

This follows ``lib/kitchen/{loader/yaml,data_munger,config,provisioner/base,verifier/shell}.rb`` and
``lib/kitchen/driver/{ssh_base,proxy}.rb`` of test-kitchen 3.7, and
``lib/kitchen/provisioner/salt_solo.rb`` of kitchen-salt 0.7. Options of the provisioner that are
not implemented here are errors, so no suite can do more under kitchen.
"""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

from . import ROOT, LabError
from .topology import merge

FILE = ROOT / "kitchen.yml"
KITCHEN_ROOT = "/tmp/kitchen"  # of the tree on an instance
# The platform of the lab that stands in for a platform of kitchen.yml.
PLATFORMS = {"centos-7": "el7", "almalinux-8": "el8", "almalinux-9": "el9"}
PLUGINS = ("driver", "transport", "provisioner", "verifier")

# Renders and parses the file, as the loader of test-kitchen does.
LOADER = """
require "erb"; require "json"; require "yaml"
text = ERB.new(File.read(ARGV[0])).result
puts YAML.safe_load(text, permitted_classes: [Symbol], aliases: true).to_json
"""

# The provisioner's options that are implemented here.
IMPLEMENTED_OPTIONS = {
    "formula",
    "vendor_path",
    "salt_copy_filter",
    "state_top",
    "salt_minion_extra_config",
    "grains",
    "pillars",
    "pillars_from_files",
    "init_environment",
    "sudo",
}
# Options that have no effect here.
IGNORED_OPTIONS = {"name", "require_chef", "salt_install"}
# What kitchen-salt copies from beside a formula.
EXTENSION_FOLDERS = (
    "_modules",
    "_states",
    "_grains",
    "_renderers",
    "_returners",
    "_runners",
    "_utils",
)


@dataclass(frozen=True)
class Instance:
    """A suite on a platform."""

    suite: str
    platform: str
    driver: dict
    transport: dict
    provisioner: dict
    verifier: dict

    @property
    def name(self) -> str:
        """The name in ``kitchen list``."""
        return re.sub("[_,/]", "-", f"{self.suite}-{self.platform}").replace(".", "")


def ruby() -> str:
    """Return the path of Ruby. Raises LabError if it is not installed."""
    path = shutil.which("ruby")
    if not path:
        raise LabError(
            "kitchen.yml is written in Ruby's ERB, and ruby is not installed: apt-get install ruby"
        )
    return path


def instances(environment: dict[str, str], file: Path = FILE) -> list[Instance]:
    """
    Return what ``kitchen list`` lists in an environment.

    Raises LabError, with Ruby's message, if the file cannot be read.
    """
    result = subprocess.run(
        [ruby(), "-e", LOADER, file],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
        check=False,
    )
    if result.returncode:
        raise LabError(f"{file}: {result.stderr.strip().splitlines()[0]}")
    data = json.loads(result.stdout)
    parsed_instances = []
    for suite in data["suites"]:
        for platform in data["platforms"]:
            if runs_on(suite, platform["name"]):
                plugins = {
                    plugin: merged_settings(plugin, data, platform, suite) for plugin in PLUGINS
                }
                parsed_instances.append(Instance(suite["name"], platform["name"], **plugins))
    return parsed_instances


def runs_on(suite: dict, platform: str) -> bool:
    """Return whether a suite runs on a platform: ``includes`` wins over ``excludes``."""
    if suite.get("includes"):
        return platform in suite["includes"]
    return platform not in (suite.get("excludes") or [])


def merged_settings(plugin: str, *sections: dict) -> dict:
    """Return the settings of a plugin, those of a later section merged over an earlier one."""
    settings: dict = {}
    for section in sections:
        value = section.get(plugin) or {}
        # A plugin without settings may be just its name.
        settings = merge(settings, value if isinstance(value, dict) else {"name": value})
    return settings


def sandbox(instance: Instance, target: Path) -> None:
    """
    Lay out the tree that kitchen-salt copies to ``/tmp/kitchen``.

    Raises LabError if the instance has an option that is not implemented here.
    """
    options = instance.provisioner
    supported = IMPLEMENTED_OPTIONS | IGNORED_OPTIONS
    unsupported = sorted(options.keys() - supported)
    if unsupported:
        raise LabError(
            f"{FILE}: provisioner: {', '.join(unsupported)}: not supported by the tests. "
            f"Known: {', '.join(sorted(supported))}"
        )
    _copy_formulas(options, target / "srv/salt")
    _write_pillar(options, target / "srv/pillar")
    _write_minion(options, target / "etc/salt")


def _copy_formulas(options: dict, states: Path) -> None:
    """Copy the formula, the vendored formulas, and the extensions beside them; write top.sls."""
    ignored = shutil.ignore_patterns(*options["salt_copy_filter"])
    vendor_folder = ROOT / options["vendor_path"]
    formulas = [ROOT / options["formula"], *vendor_folder.iterdir()]
    for formula in formulas:
        extensions = [formula.parent / name for name in EXTENSION_FOLDERS]
        for folder in [formula, *filter(Path.is_dir, extensions)]:
            shutil.copytree(folder, states / folder.name, ignore=ignored, dirs_exist_ok=True)
    write(states / "top.sls", options["state_top"])


def _write_pillar(options: dict, pillar: Path) -> None:
    """Write the pillar: what kitchen.yml has, and the files that it names."""
    for name, contents in options["pillars"].items():
        write(pillar / name, contents)
    for name, source in (options.get("pillars_from_files") or {}).items():
        shutil.copy(ROOT / source, pillar / name)


def _write_minion(options: dict, folder: Path) -> None:
    """Write the configuration of a minion without a master, and its grains."""
    srv = f"{KITCHEN_ROOT}/srv"
    minion = {
        "local": True,
        "state_top": "top.sls",
        "root_dir": KITCHEN_ROOT,
        "file_roots": {"base": [f"{srv}/salt", f"{srv}/spm/salt"]},
        "pillar_roots": {"base": [f"{srv}/pillar", f"{srv}/spm/pillar"]},
    }
    write(folder / "minion", minion)
    write(folder / "minion.d/99-minion.conf", options["salt_minion_extra_config"])
    write(folder / "grains", options["grains"])


def write(path: Path, contents: dict) -> None:
    """Write a mapping as YAML."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(contents))


def prepare(instance: Instance) -> str:
    """Return the shell lines that run on an instance before the sandbox is copied."""
    return f"mkdir -p '{KITCHEN_ROOT}';\n{instance.provisioner['init_environment']}\n"


def converge(instance: Instance) -> str:
    """Return the shell line that runs on an instance after the sandbox is copied."""
    sudo = "sudo -E " if instance.provisioner["sudo"] else ""
    return (
        f"{sudo}salt-call --state-output=changes --config-dir={KITCHEN_ROOT}/etc/salt "
        "state.highstate --retcode-passthrough"
    )


def machine_state(instance: Instance) -> dict[str, str]:
    """Return the driver's state of an existing machine: host name, port and user of its sshd."""
    driver = instance.driver
    return {
        "hostname": driver["host"],
        "port": str(driver["port"]),
        "username": driver["username"],
    }


def verify(instance: Instance, state: dict[str, str]) -> tuple[str, dict[str, str]]:
    """
    Return the shell line that verifies an instance from this machine, and its variables.

    ``state`` is the driver's state of the machine.
    """
    values = {
        "instance": instance.name,
        "platform": instance.platform,
        "suite": instance.suite,
        **state,
    }
    variables = {f"KITCHEN_{name.upper()}": value for name, value in values.items()}
    return instance.verifier["command"], variables
