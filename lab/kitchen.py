"""
Read ``kitchen.yml`` as test-kitchen and its provisioner kitchen-salt do, without either of them.

So a test can do what ``kitchen test`` does:

    instances  suites on platforms, and their settings: the file is rendered by ERB, and a suite's
               settings are merged over those of its platform and of the file
    sandbox    the tree that is copied to /tmp/kitchen of an instance: states, modules, pillar, the
               configuration of the minion
    converge   the command that then runs on the instance
    verify     the command that runs on this machine after that

This follows ``lib/kitchen/{loader/yaml,data_munger,config,provisioner/base,verifier/shell}.rb`` of
test-kitchen 3.7 and ``lib/kitchen/provisioner/salt_solo.rb`` of kitchen-salt 0.7. Options of the
provisioner that are not implemented here are errors, so no suite can do more under kitchen.
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
PLACE = "/tmp/kitchen"
PLATFORMS = {
    "centos-7": "el7",
    "almalinux-8": "el8",
    "almalinux-9": "el9",
}  # what a host of the lab looks like for them
PARTS = ("driver", "transport", "provisioner", "verifier")

# The loader of test-kitchen, in the fewest words.
READ = """
require "erb"; require "json"; require "yaml"
text = ERB.new(File.read(ARGV[0])).result
puts YAML.safe_load(text, permitted_classes: [Symbol], aliases: true).to_json
"""

# The options of the provisioner that are implemented here; the later ones have no effect here.
FOLLOWED = {
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
    "name",
    "require_chef",
    "salt_install",
}
COPIED = ("_modules", "_states", "_grains", "_renderers", "_returners", "_runners", "_utils")


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
        """What ``kitchen list`` calls it."""
        return re.sub("[_,/]", "-", f"{self.suite}-{self.platform}").replace(".", "")


def ruby() -> str:
    """Return the path of Ruby. LabError if there is none."""
    path = shutil.which("ruby")
    if not path:
        raise LabError(
            "kitchen.yml is written in Ruby's ERB, and ruby is not installed: apt-get install ruby"
        )
    return path


def instances(environment: dict[str, str], file: Path = FILE) -> list[Instance]:
    """
    Return what ``kitchen list`` lists where the environment is this.

    LabError, with what Ruby says, if the file cannot be read.
    """
    done = subprocess.run(
        [ruby(), "-e", READ, file],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
        check=False,
    )
    if done.returncode:
        raise LabError(f"{file}: {done.stderr.strip().splitlines()[0]}")
    read = json.loads(done.stdout)
    parsed_instances = []
    for suite in read["suites"]:
        for platform in read["platforms"]:
            name = platform["name"]
            if (
                name in suite["includes"]
                if suite.get("includes")
                else name not in (suite.get("excludes") or [])
            ):
                parts = {
                    part: merge(
                        merge(part_of(read, part), part_of(platform, part)), part_of(suite, part)
                    )
                    for part in PARTS
                }
                parsed_instances.append(Instance(suite["name"], name, **parts))
    return parsed_instances


def part_of(section: dict, part: str) -> dict:
    """Return what a section says of the driver, ...: a mapping, or just its name."""
    value = section.get(part) or {}
    return value if isinstance(value, dict) else {"name": value}


def sandbox(instance: Instance, target: Path) -> None:
    """
    Lay out the tree that kitchen-salt copies to ``/tmp/kitchen``.

    LabError if the instance has an option that is not implemented here.
    """
    options = instance.provisioner
    if unknown := sorted(options.keys() - FOLLOWED):
        raise LabError(
            f"{FILE}: provisioner: {', '.join(unknown)}: not followed by the tests. "
            f"Known: {', '.join(sorted(FOLLOWED))}"
        )
    states, pillar, salt = (target / name for name in ("srv/salt", "srv/pillar", "etc/salt"))
    unwanted = shutil.ignore_patterns(*options["salt_copy_filter"])
    vendored = ROOT / options["vendor_path"]
    for above, formula in [
        (ROOT, options["formula"]),
        *((vendored, path.name) for path in vendored.iterdir()),
    ]:
        for name in (formula, *COPIED):
            if name == formula or (above / name).is_dir():
                shutil.copytree(above / name, states / name, ignore=unwanted, dirs_exist_ok=True)
    write(states / "top.sls", options["state_top"])
    for name, contents in options["pillars"].items():
        write(pillar / name, contents)
    for name, source in (options.get("pillars_from_files") or {}).items():
        shutil.copy(ROOT / source, pillar / name)
    write(
        salt / "minion",
        {
            "local": True,
            "state_top": "top.sls",
            "root_dir": PLACE,
            "file_roots": {"base": [f"{PLACE}/srv/salt", f"{PLACE}/srv/spm/salt"]},
            "pillar_roots": {"base": [f"{PLACE}/srv/pillar", f"{PLACE}/srv/spm/pillar"]},
        },
    )
    write(salt / "minion.d/99-minion.conf", options["salt_minion_extra_config"])
    write(salt / "grains", options["grains"])


def write(path: Path, contents: dict) -> None:
    """Write a mapping as YAML."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(contents))


def prepare(instance: Instance) -> str:
    """Return the shell lines that run on an instance before the sandbox is copied."""
    return f"mkdir -p '{PLACE}';\n{instance.provisioner['init_environment']}\n"


def converge(instance: Instance) -> str:
    """Return the shell line that runs on an instance when the sandbox is there."""
    sudo = "sudo -E " if instance.provisioner["sudo"] else ""
    return (
        f"{sudo}salt-call --state-output=changes --config-dir={PLACE}/etc/salt "
        "state.highstate --retcode-passthrough"
    )


def verify(instance: Instance, state: dict[str, str]) -> tuple[str, dict[str, str]]:
    """
    Return the shell line that verifies an instance from this machine, and its variables.

    ``state`` is the driver's state of the machine.
    """
    names = {
        "instance": instance.name,
        "platform": instance.platform,
        "suite": instance.suite,
        **state,
    }
    return instance.verifier["command"], {
        f"KITCHEN_{name.upper()}": value for name, value in names.items()
    }
