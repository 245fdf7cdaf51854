"""The command ``lab``."""

import shutil
import sys

import click
from rich.console import Console
from rich.table import Table

from . import CACHE, RUN, SALT_LINES, LabError, cgroups, cluster, hosts, machine, network, packages, saltenv, topology
from .plan import command as plan
from .steps import Steps

console = Console(highlight=False, soft_wrap=True)
BUILDER = "lab_up"  # a control group beside those of the hosts; no host can be called so
ANYTHING = {"ignore_unknown_options": True, "help_option_names": [], "allow_interspersed_args": False}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Hosts on this machine, and Salt on them."""


cli.add_command(plan)


@cli.command()
@click.option("--topology", "name", default="single", show_default=True, help="tests/topologies/NAME.yaml")
@click.option("--salt", "line", type=click.Choice(SALT_LINES), default=SALT_LINES[0], show_default=True,
              help="Salt line")
@click.option("--repo", "repository", metavar="URL", default="",
              help="cluster packages from this yum repository: URL/x86_64, URL/noarch, URL/RPM-GPG-KEY-mesosphere")
@click.option("--apply/--no-apply", default=True, help="run state.apply, or leave the hosts bare")
def up(name: str, line: str, repository: str, apply: bool) -> None:
    """Boot the hosts of a topology and apply the states to them. Repeated, it only applies."""
    machine.check()
    if repository and not repository.startswith(("http://", "https://")):
        raise LabError(f"--repo {repository}: not an http:// or https:// URL", code=2)
    table = topology.load(name)
    current = cluster.running()
    if current and (current.topology, current.salt, current.repository) != (name, line, repository):
        raise LabError(f"a lab runs already: {describe(current)}. `make down` ends it")
    if not current and cgroups.members():
        raise LabError("a lab is being started, or one runs that this directory does not know of. `make down` ends it")
    with Steps(console) as steps:
        with steps.step("Debian packages that this machine needs") as report:
            machine.install(report)
        cgroups.enter(BUILDER)  # from here on `lab down` ends this too, whatever becomes of it
        if not current:
            current = build(steps, name, line, repository)
        current.connect()
        with steps.step(f"boot {', '.join(host.name for host in table.hosts)}"):
            for host in table.hosts:
                current.boot(host)
        with steps.step("minions answer their master") as report:
            cluster.await_minions(table, report)
        with steps.step("salt '*' saltutil.sync_all"):
            cluster.salt(table, "saltutil.sync_all", log="sync")
        if apply:
            with steps.step("salt '*' state.apply"):
                summary = cluster.apply(table)
            console.print(f"  {summary}")
            with steps.step("services answer"):
                found = cluster.services(table, cluster.PATIENCE)
    if apply and not show(found, repository):
        raise LabError("a service does not answer; `lab run HOST journalctl -u UNIT` tells why")
    console.print("\nNext:  .venv/bin/lab status | .venv/bin/lab salt '*' state.apply test=True | "
                  f".venv/bin/lab run {table.master.name} COMMAND | make down")


def build(steps: Steps, name: str, line: str, repository: str) -> cluster.Running:
    """Make all that a lab needs and does not have yet, up to bare disks."""
    table = topology.load(name)
    shutil.rmtree(RUN, ignore_errors=True)
    (image, env), _, rpms = steps.together({
        f"image of the hosts, Salt {line} in it": lambda report: cluster.image_and_env(line, report),
        f"wheels of Salt {line}": lambda report: saltenv.host_wheels(line),
        "packages and their repository": lambda report: packages.build_repository(CACHE, report),
    })
    with steps.step("disks"):
        cluster.write_pillar(table, repository)
        cluster.make_disks(table, image)
    current = cluster.Running(name, line, repository, str(image), str(env), str(rpms))
    current.save()
    return current


def describe(current: cluster.Running) -> str:
    """Say in a few words what runs."""
    return f"topology {current.topology}, Salt {current.salt}, packages from {current.repository or 'the lab'}"


def show(found: list[tuple[topology.Host, cluster.Service, bool]], repository: str) -> bool:
    """Print the table of services and what they are; return whether all work."""
    table = Table("host", "service", "where", "answers")
    for host, service, works in found:
        table.add_row(host.name, service.name, service.place(host), "[green]yes[/]" if works else "[red]no[/]")
    console.print(table)
    if not repository:
        console.print("Mesos, Marathon and Chronos are stand-ins of the lab that run no tasks; with --repo they are packages of yours.")
    return all(works for *_, works in found)


def lab_host(name: str) -> tuple[cluster.Running, topology.Host]:
    """Return the running lab and one of its hosts."""
    current = cluster.running()
    if not current:
        raise LabError("no lab runs; `make up` starts one")
    table = topology.load(current.topology)
    for host in table.hosts:
        if host.name == name:
            return current, host
    raise LabError(f"the lab has no host '{name}'; it has {', '.join(host.name for host in table.hosts)}")


@cli.command()
def down() -> None:
    """End everything that the lab started, whatever state it is in, and throw its disks away. The cache is kept."""
    with Steps(console) as steps, steps.step("everything off"):
        cgroups.kill()
        network.remove()
        shutil.rmtree(RUN, ignore_errors=True)


@cli.command()
def status() -> None:
    """Say what runs, and whether its services answer."""
    current = cluster.running()
    if not current:
        console.print("No lab runs; `make up` starts one.")
        return
    console.print(f"A lab runs: {describe(current)}.")
    table = topology.load(current.topology)
    for host in table.hosts:
        console.print(f"{host.name} {host.address}: {hosts.systemd_state(host.name) or 'off'}")
    show(cluster.services(table), current.repository)


@cli.command(context_settings=ANYTHING)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="ARGS...")
def salt(words: tuple[str, ...]) -> None:
    """The salt command on the lab's master, such as: lab salt '*' test.ping --out=json"""
    current = cluster.running()
    if not current:
        raise LabError("no lab runs; `make up` starts one")
    sys.exit(hosts.exit_code(hosts.execute(topology.load(current.topology).master.name, ["salt", *words])))


@cli.command(context_settings=ANYTHING)
@click.argument("name", metavar="HOST")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(name: str, command: tuple[str, ...]) -> None:
    """A command on a host, as root."""
    lab_host(name)
    sys.exit(hosts.exit_code(hosts.execute(name, list(command))))


@cli.command()
@click.argument("name", metavar="HOST")
def kill(name: str) -> None:
    """Cut a host's power. Its disk stays."""
    lab_host(name)
    hosts.power_off(name)


@cli.command()
@click.argument("name", metavar="HOST")
def start(name: str) -> None:
    """Boot a host that is off."""
    current, host = lab_host(name)
    with Steps(console) as steps, steps.step(f"boot {name}"):
        current.boot(host)


@cli.command()
@click.argument("name", metavar="HOST")
def cut(name: str) -> None:
    """Take a host off the network; it goes on running."""
    lab_host(name)
    network.unplug(name)


@cli.command()
@click.argument("name", metavar="HOST")
def heal(name: str) -> None:
    """Put a host back on the network."""
    lab_host(name)
    network.plug(name)


def main() -> None:
    """Run the command. What goes wrong is said in a sentence; exit code 1, or 2 where this machine cannot."""
    try:
        cli()
    except PermissionError as error:
        sys.exit(f"only root can do this: {error}")
    except LabError as error:
        said = Console(stderr=True, highlight=False, soft_wrap=True)
        said.print(str(error), style="red", markup=False)
        if error.log:
            said.print(f"Log: {error.log}", markup=False)
        sys.exit(error.code)


if __name__ == "__main__":
    main()
