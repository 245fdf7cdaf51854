"""The command ``lab``."""

import dataclasses
import itertools
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from . import (
    CACHE,
    SALT_LINES,
    TRANSPORTS,
    LabError,
    cgroups,
    cluster,
    hosts,
    instance,
    machine,
    network,
    packages,
    saltenv,
    services,
    ssh,
)
from .plan import command as plan
from .steps import Report, Steps, locked
from .topology import Host, Topology, check_bootable, new_host

console = Console(highlight=False, soft_wrap=True)
BUILDER = "lab_up"  # a control group beside those of the hosts; no host can be called so
PASS_THROUGH = {
    "ignore_unknown_options": True,
    "help_option_names": [],
    "allow_interspersed_args": False,
}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--name",
    metavar="NAME",
    envvar="LAB_NAME",
    help="one of several labs side by side; each but the default one has a network of its own",
)
@click.version_option(package_name="salt-mesos")
def cli(name: str | None) -> None:
    """Hosts on this machine, and Salt on them."""
    if name:
        instance.select(name)


cli.add_command(plan)


@cli.command()
@click.option(
    "--topology", "name", default="single", show_default=True, help="tests/topologies/NAME.yaml"
)
@click.option(
    "--salt",
    "line",
    type=click.Choice(SALT_LINES),
    default=SALT_LINES[0],
    show_default=True,
    help="Salt line",
)
@click.option(
    "--repo",
    "repository",
    metavar="URL",
    default="",
    help="cluster packages from this yum repository: URL/x86_64, URL/noarch, "
    "URL/RPM-GPG-KEY-mesosphere",
)
@click.option(
    "--transport",
    type=click.Choice(TRANSPORTS),
    default=TRANSPORTS[0],
    show_default=True,
    help="how Salt reaches the hosts: a minion on each, or salt-ssh from one more host",
)
@click.option("--door", "old_transport", type=click.Choice(TRANSPORTS), hidden=True)
@click.option(
    "--apply/--no-apply",
    default=True,
    help="assign roles and apply the states, or leave the hosts bare, with only a minion or sshd",
)
def up(
    name: str,
    line: str,
    repository: str,
    transport: str,
    old_transport: str | None,
    apply: bool,
) -> None:
    """
    Boot the hosts of a topology and apply the states to them.

    If the lab is running already, boot the hosts that are off, reconnect those that are cut off
    the network, and apply the states again.
    """
    if old_transport:
        console.print("--door is deprecated. Use --transport instead.")
        transport = old_transport
    machine.check()
    if repository and not repository.startswith(("http://", "https://")):
        raise LabError(f"--repo {repository}: not an http:// or https:// URL", code=2)
    check_bootable(cluster.load(name, transport))
    current = cluster.running()
    if current and (current.topology, current.salt, current.repository, current.transport) != (
        name,
        line,
        repository,
        transport,
    ):
        raise LabError(
            f"a lab is already running: {describe(current)}. "
            f"Stop it with `{instance.command} down`, or start another with `lab --name NAME up`"
        )
    if not current and cgroups.members():
        raise LabError(
            "a lab of this name is being started, or was started from another directory. "
            f"Stop it with `{instance.command} down`"
        )
    with Steps(console) as steps:
        with steps.step("Debian packages that this machine needs") as report:
            machine.install(report)
        machine.raise_limits()
        cgroups.enter(BUILDER)  # from here on `lab down` ends this too, whatever becomes of it
        if not current:
            current = build(steps, name, line, repository, transport)
        current.connect()
        topology = current.load_topology()
        for host in topology.hosts:
            if hosts.running(host.name) and not network.plugged(host.name):
                network.plug(host.name)
        join(
            steps,
            current,
            topology,
            [host for host in topology.hosts if not hosts.has_disk(host.name)],
            topology.hosts,
        )
        if transport == "ssh":
            console.print(f"  {ssh.python_description(line, current.python)}", markup=False)
        elif not topology.nodes:
            with steps.step("salt '*' saltutil.sync_all"):
                cluster.salt(topology, topology.hosts, "saltutil.sync_all", log="sync")
        elif apply:
            with steps.step("roles from the topology, modules and states"):
                summary = cluster.assign_roles(topology)
            console.print(f"  {summary}", markup=False)
        if apply:
            with steps.step(f"{current.salt_command} '*' state.apply"):
                summary = cluster.apply(current, topology)
            console.print(f"  {summary}")
            with steps.step("services answer"):
                answers = services.ask(topology, cluster.READY_TIMEOUT)
    if apply:
        show(topology, answers, repository)
        if problems := services.problems(answers):
            hint = f"`{instance.command} run HOST journalctl -u UNIT` shows why"
            raise LabError("\n".join([*problems, hint]))
    deploy = f"run {topology.master.name} salt-run state.orchestrate orchestration.deploy"
    commands = ["status", "salt '*' state.apply test=True", f"run {topology.master.name} COMMAND"]
    if not apply and topology.nodes and transport == "minion":
        commands[1:] = [deploy]
    hints = [f"{instance.command} {command}" for command in commands]
    hints.append(f"{instance.command} down" if instance.isolated else "make down")
    console.print(f"\nNext:  {' | '.join(hints)}", markup=False)
    if instance.isolated:
        console.print(
            f"The addresses are on the network of this lab: {instance.command} exec curl URL",
            markup=False,
        )


def package_repository(report: Report) -> Path:
    """Build the yum repository, unless another lab is building it; then wait for that."""
    with locked("packages"):
        return packages.build_repository(CACHE, report)


def build(steps: Steps, name: str, line: str, repository: str, transport: str) -> cluster.LabState:
    """Build everything that a lab needs, except for the disks of the hosts."""
    shutil.rmtree(instance.run, ignore_errors=True)
    environment = cluster.environment_name(line, transport)
    (image, env, layers), _, rpms = steps.run_parallel(
        {
            f"image of the hosts with Salt {line}": lambda report: cluster.build_image(
                environment, cluster.load(name, transport).hosts, report
            ),
            f"wheels of Salt {line}": lambda report: saltenv.host_wheels(environment),
            "packages and their repository": package_repository,
        }
    )
    python = tarball = ""
    if transport == "ssh" and line == "3006":
        python = ssh.python36()
    elif transport == "ssh":
        with steps.step("Salt and its Python in one tarball"):
            tarball = str(ssh.relenv(image, env))
    current = cluster.LabState(
        name, line, repository, str(image), str(env), str(rpms), layers, transport, python, tarball
    )
    cluster.write_master_data(current.load_topology())
    current.save()
    return current


def join(
    steps: Steps,
    current: cluster.LabState,
    topology: Topology,
    fresh: list[Host],
    targets: list[Host],
) -> None:
    """Install the disks of fresh hosts, boot the targets, and wait for their minions."""
    if fresh:
        with steps.step(f"disk{'s' * (len(fresh) > 1)} and keys"):
            cluster.prepare_disks(current, topology, fresh)
    with steps.step(
        f"boot {targets[0].name if len(targets) == 1 else f'{len(targets)} hosts'}"
    ) as report:
        current.boot(targets, report)
    if current.transport == "minion":
        with steps.step("minions answer their master") as report:
            cluster.await_minions(topology, targets, report)


def describe(current: cluster.LabState) -> str:
    """Describe the running lab in one line."""
    source = current.repository or "the lab"
    salt = f"Salt {current.salt} by {current.transport}"
    return f"topology {current.topology}, {salt}, packages from {source}"


def show(topology: Topology, answers: list[services.Answer], repository: str) -> None:
    """Print each host with its roles, the state of their services, and the leaders."""
    with ThreadPoolExecutor() as pool:
        states = dict(
            zip(
                [host.name for host in topology.hosts],
                pool.map(state_of, topology.hosts),
                strict=True,
            )
        )
    summary = Table("host", "role", "service", "answers")
    for host in topology.hosts:
        state = states[host.name]
        description = [host.name, host.address] + (
            [] if state == "running" else [f"[red]{state}[/]"]
        )
        cells = [
            (answer.role, answer.location, answer_text(answer))
            for answer in answers
            if answer.host == host
        ]
        for cell, service_cells in itertools.zip_longest(description, cells):
            summary.add_row(cell or "", *(service_cells or ()))
        summary.add_section()
    console.print(summary)
    leaders = {
        role: ", ".join(names) or "[red]nobody[/]"
        for role, names in services.leaders(answers).items()
    }
    agents = [answer.mode for answer in answers if answer.role == "mesos-slave"]
    if leaders:
        console.print(
            f"Leaders: {', '.join(f'{role} {names}' for role, names in leaders.items())}. "
            f"Agents registered: {agents.count('registered')} of {len(agents)}."
        )
    if not repository:
        console.print(
            "Mesos, Marathon and Chronos are fake daemons. Their tasks are real processes and "
            "containers. Use --repo to install packages from a repository of yours."
        )


def answer_text(answer: services.Answer) -> str:
    """Return the state of a service in its color."""
    text = answer.mode or ("yes" if answer.works else "no")
    if not answer.healthy:
        return f"[red]{text}[/]"
    if answer.mode in services.LEADING:
        return f"[bold green]{text}[/]"
    return f"[green]{text}[/]"


def state_of(host: Host) -> str:
    """Return the state of a host: running, degraded, cut (off the network), down."""
    state = hosts.systemd_state(host.name) or "down"
    return state if state == "down" or network.plugged(host.name) else "cut"


def start_hint() -> str:
    """Return the sentence that tells how to start the lab."""
    command = f"{instance.command} up" if instance.isolated else "make up"
    return f"Start one with `{command}`."


def running_lab() -> tuple[cluster.LabState, Topology]:
    """Return the running lab and its topology, and move this process to its network."""
    current = cluster.running()
    if not current:
        raise LabError(f"No lab is running. {start_hint()}")
    network.join()
    return current, current.load_topology()


def require_on(host: Host) -> Host:
    """Return a host that is on; LabError if it is off."""
    if not hosts.running(host.name):
        raise LabError(f"{host.name} is off; `lab start {host.name}` boots it")
    return host


@cli.command()
@click.pass_context
def down(context: click.Context) -> None:
    """
    Stop all labs, whatever state they are in, and delete their disks. The cache is kept.

    With --name only that one.
    """
    selected = context.find_root().params["name"]
    with Steps(console) as steps, steps.step(f"stop {selected or 'all labs'}"):
        if selected:
            cgroups.kill()
            cgroups.prune()
            shutil.rmtree(instance.run, ignore_errors=True)
        else:
            cgroups.kill(lab="")
            shutil.rmtree(instance.run.parent, ignore_errors=True)
        if not (selected and instance.isolated):
            network.remove()


@cli.command("list")
def list_labs() -> None:
    """Show the labs on this machine."""
    names = cgroups.labs()
    if not names:
        console.print(f"No lab is running. {start_hint()}")
        return
    rows = Table("lab", "topology", "Salt", "packages", "hosts that are on")
    for name in sorted(names):
        instance.name = name
        current = cluster.running()
        if current:
            states = [hosts.running(host.name) for host in current.load_topology().hosts]
            source = current.repository or "the lab"
            salt = f"{current.salt} by {current.transport}"
            rows.add_row(name, current.topology, salt, source, f"{sum(states)} of {len(states)}")
        else:
            rows.add_row(name, "unknown: started from another directory, or just now")
    console.print(rows)


@cli.command()
def status() -> None:
    """Show hosts, roles, services and leaders."""
    if not cluster.running():
        console.print(f"No lab is running. {start_hint()}")
        return
    current, topology = running_lab()
    console.print(f"A lab is running: {describe(current)}.")
    show(topology, services.ask(topology), current.repository)


@cli.command("exec", context_settings=PASS_THROUGH)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(command: tuple[str, ...]) -> None:
    """Run a command on this machine, on the network of the lab, such as: lab exec curl URL"""
    running_lab()
    sys.exit(hosts.exit_code(subprocess.run(command, check=False)))


@cli.command(context_settings=PASS_THROUGH)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="ARGS...")
def salt(words: tuple[str, ...]) -> None:
    """
    Run salt on the lab's master, or salt-ssh if the hosts have no minions.

    Example: lab salt '*' test.ping --out=json
    """
    current, topology = running_lab()
    sys.exit(hosts.exit_code(hosts.execute(topology.master.name, [current.salt_command, *words])))


@cli.command(context_settings=PASS_THROUGH)
@click.argument("name", metavar="HOST")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(name: str, command: tuple[str, ...]) -> None:
    """A command on a host, as root."""
    sys.exit(hosts.exit_code(hosts.execute(running_lab()[1].host(name).name, list(command))))


@cli.command()
@click.argument("name", metavar="HOST")
def kill(name: str) -> None:
    """Cut the power of a host. Its disk remains."""
    hosts.power_off(running_lab()[1].host(name).name)


@cli.command()
@click.argument("name", metavar="HOST")
def start(name: str) -> None:
    """
    Boot a host that is off, and wait for its minion, if it has one.

    For the Salt master, wait for the minions of all hosts.
    """
    current, topology = running_lab()
    host = topology.host(name)
    with Steps(console) as steps:
        with steps.step(f"boot {host.name}"):
            current.boot([host])
        reachable = [
            candidate
            for candidate in topology.hosts
            if hosts.running(candidate.name) and network.plugged(candidate.name)
        ]
        if topology.master in reachable and current.transport == "minion":
            with steps.step("minions answer their master") as report:
                cluster.await_minions(topology, reachable if host.salt_master else [host], report)


@cli.command()
@click.argument("name", metavar="HOST")
def cut(name: str) -> None:
    """Take a host off the network; it goes on running."""
    network.unplug(require_on(running_lab()[1].host(name)).name)


@cli.command()
@click.argument("name", metavar="HOST")
def heal(name: str) -> None:
    """Put a host back on the network."""
    network.plug(require_on(running_lab()[1].host(name)).name)


@cli.command()
@click.argument("name", metavar="NAME")
def add(name: str) -> None:
    """
    Boot one more host, whose id matches a glob of the topology.

    Example: lab add lxb005
    """
    current, topology = running_lab()
    require_on(topology.master)
    id, address = new_host(topology, name)
    current = dataclasses.replace(current, added=current.added | {id: address})
    topology = current.load_topology()
    check_bootable(topology)
    current.save()
    host = topology.host(id)
    console.print(f"{id}, {address}: {', '.join(host.roles) or 'no role'}")
    with Steps(console) as steps:
        join(steps, current, topology, [host], [host])
    console.print(advice(current, topology, host), markup=False)


@cli.command()
@click.argument("name", metavar="HOST")
def replace(name: str) -> None:
    """Replace a host by a new machine: same name and address, a bare disk, a new key."""
    current, topology = running_lab()
    host = topology.host(name)
    if host.salt_master:
        raise LabError(
            f"{host.name} is the Salt master, which has the keys of all hosts. "
            "It cannot be replaced; run `make down` and `make up` instead."
        )
    require_on(topology.master)
    with Steps(console) as steps:
        with steps.step(f"{host.name} off, its key forgotten"):
            hosts.power_off(host.name)
            cluster.delete_key(current, topology, host)
        join(steps, current, topology, [host], [host])
    console.print(advice(current, topology, host), markup=False)


def advice(current: cluster.LabState, topology: Topology, host: Host) -> str:
    """Return the commands that make a bare host a member of the cluster."""
    commands = [f"{instance.command} salt '{host.id}' state.apply"]
    if current.transport == "minion" and topology.nodes:
        orchestration = "salt-run state.orchestrate orchestration.roles"
        commands.insert(0, f"{instance.command} run {topology.master.name} {orchestration}")
    return f"Next:  {' && '.join(commands)}"


def main() -> None:
    """Run the command. Print errors as one sentence; exit with 1, or 2 for a wrong argument."""
    try:
        cli()
    except PermissionError as error:
        sys.exit(f"only root can do this: {error}")
    except LabError as error:
        error_console = Console(stderr=True, highlight=False, soft_wrap=True)
        error_console.print(str(error), style="red", markup=False)
        if error.log:
            error_console.print(f"Log: {error.log}", markup=False)
        sys.exit(error.code)


if __name__ == "__main__":
    main()
