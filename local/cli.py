"""The command line: `python -m local COMMAND`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from local import build, doctor, kwok, wheels
from local.backend import Backend, choose
from local.console import say, stage
from local.controlplane import ControlPlane
from local.deploy import deploy
from local.errors import LocalError
from local.images import FURTHER, wanted
from local.places import Places


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. What stands in the way is said without a traceback."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments, Places.here())
    except LocalError as problem:
        say(f"error: {problem}")
        return 1
    except OSError as problem:  # a full disk, a file of another user
        say(f"error: {problem}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next `up` or `down` removes what is left")
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="A real Kubernetes on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)

    up = commands.add_parser("up", help="bring the cluster up (built on the first run)")
    up.add_argument("--kwok-nodes", type=int, default=0, metavar="N", help="add N simulated nodes")
    _control_plane_options(up)
    up.set_defaults(run=_up)

    down = commands.add_parser("down", help="remove the cluster and all its traces, in whatever state it is")
    _control_plane_options(down)
    down.set_defaults(run=_down)

    for name, run, text in (
        ("status", _status, "say whether the cluster is up, and where"),
        ("azurite", _azurite, "start Blob Storage for the cluster"),
        ("monitoring", _monitoring, "start Prometheus and Alertmanager for the cluster"),
        ("doctor", _doctor, "say what is there, what is missing, and what cannot work here"),
    ):
        commands.add_parser(name, help=text).set_defaults(run=run)

    for name, make, text in (
        ("images", _images, "build the operator's and the scorer's image and load them into the cluster"),
        ("deploy", _deploy, "all of these, and the operator installed by Helm"),
        ("wheels", _wheels, "fill the Dockerfiles' build contexts (for `docker build`)"),
    ):
        built = commands.add_parser(name, help=text)
        built.add_argument(
            "--also",
            action="append",
            default=[],
            choices=FURTHER,
            help="this further image too: large, and minutes to build the first time",
        )
        built.set_defaults(run=make)

    tool = commands.add_parser("tool", help="print the path of a program, built if need be")
    tool.add_argument("name", help="kubectl, helm, etcd, ...")
    tool.set_defaults(run=_tool)
    return parser


def _control_plane_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--control-plane-only", action="store_true", help="no node: API server on loopback, no root"
    )
    parser.add_argument("--state", type=Path, help="that control plane's own directory")


def _plane(arguments: argparse.Namespace, places: Places) -> ControlPlane | None:
    if arguments.state and not arguments.control_plane_only:
        raise LocalError("--state goes with --control-plane-only")
    if not arguments.control_plane_only:
        return None
    return ControlPlane(arguments.state or places.cache / "controlplane", places=places, detached=True)


def _up(arguments: argparse.Namespace, places: Places) -> int:
    plane = _plane(arguments, places)
    if plane is None:
        backend = choose(places)
        backend.up(arguments.kwok_nodes)
        kubeconfig = backend.kubeconfig
    else:
        with stage("etcd, API server, controller manager, scheduler"):
            plane.start()
        if arguments.kwok_nodes:
            kwok.start(places, plane.daemons, plane.kubeconfig, arguments.kwok_nodes)
        kubeconfig = plane.kubeconfig
    print(f"export KUBECONFIG={kubeconfig}")
    return 0


def _down(arguments: argparse.Namespace, places: Places) -> int:
    plane = _plane(arguments, places)
    if plane is None:
        choose(places).down()
        plane = ControlPlane(places.cache / "controlplane", places=places, detached=True)
        if not plane.state.exists():
            return 0
    plane.daemons.stop(kwok.NAME)
    plane.stop()
    return 0


def _status(_: argparse.Namespace, places: Places) -> int:
    backend = choose(places)
    if not backend.running():
        print("cluster     not up")
        return 1
    azurite = backend.azurite()
    print("cluster     up")
    print(f"kubeconfig  {backend.kubeconfig}")
    print(f"address     {backend.address}")
    print(f"storage     {azurite.endpoint if azurite.running() else 'not started'}")
    for name, where in _monitored(backend):
        print(f"{name:11} {where}")
    return 0


def _monitored(backend: Backend) -> list[tuple[str, str]]:
    try:
        monitoring = backend.monitoring()
    except LocalError:
        return [("prometheus", "none beside a kind cluster")]
    programs = (("prometheus", monitoring.prometheus), ("alerts", monitoring.alertmanager))
    return [(name, program.url if program.running() else "not started") for name, program in programs]


def _images(arguments: argparse.Namespace, places: Places) -> int:
    for image in choose(places).images(arguments.also):
        print(f"{image.name} {image.digest}")
    return 0


def _azurite(_: argparse.Namespace, places: Places) -> int:
    azurite = choose(places).azurite()
    with stage("Azurite"):
        azurite.start()
    print(azurite.endpoint)
    return 0


def _monitoring(_: argparse.Namespace, places: Places) -> int:
    monitoring = choose(places).monitoring()
    with stage("Prometheus and Alertmanager"):
        monitoring.start()
    print(monitoring.prometheus.url)
    return 0


def _deploy(arguments: argparse.Namespace, places: Places) -> int:
    deployed = deploy(places, choose(places), also=arguments.also)
    print(f"export KUBECONFIG={deployed.tools.kubeconfig}")
    return 0


def _wheels(arguments: argparse.Namespace, places: Places) -> int:
    for part in wanted(arguments.also):
        print(wheels.third_party(places, part))
        wheels.own(places, part)
    return 0


def _tool(arguments: argparse.Namespace, places: Places) -> int:
    print(build.program(places, arguments.name))
    return 0


def _doctor(_: argparse.Namespace, places: Places) -> int:
    findings = doctor.examine(places)
    sys.stdout.write(doctor.report(findings))
    return 1 if doctor.obstacles(findings) else 0
