"""`make demo-stream`: devices, hub, ingest, schedule, models, sink, on a clock whose hours are minutes."""

from __future__ import annotations

import argparse
import sys
import time

from examples.demo.console import say, stage
from examples.demo.errors import DemoError
from examples.stream import account, release
from examples.stream.clock import beginning
from examples.stream.commands import SIMULATE, command
from examples.stream.objects import ENTITY, PARTITIONS, ROOT
from examples.stream.stream import BEGIN, SPEED, Plan, Stream, clear, start, train, wait
from local.backend import choose
from local.deploy import Deployed, deploy
from local.errors import LocalError
from local.places import Places
from scorer.errors import InputError
from scorer.storage import StorageError

INTERRUPTED = 130
BUILD = ROOT / "build" / "demo-stream"
LABELS, FIGURES, PICTURE = BUILD / "labels.json", BUILD / "figures.json", BUILD / "stream.png"
HOURS = 4
PLAN = Plan(
    HOURS,
    # It ends early enough for all that is late to be there within the last hour.
    (
        *(f"--for={60 * HOURS - 40}m", "--every=10s", "--seed=7", "--late=0.01", "--late-by=20m"),
        *("--duplicates=0.005", "--faults=spike=2,shift=2,drift=2,frozen=1", "--fault-length=25m"),
    ),
)
BROKEN = [
    '{"TS": "2026-01-',
    "[1, 2",
    '{"Device": 1, "Tag": 1, "Value": 10}',
    '{"TS": "yesterday", "Device": 1}',
] * 5
"""Bodies that nobody can read."""
AGAIN = 40
"""Events that the hub gives a second time, after a connection is cut."""
LEAD, AT_SECOND = 30.0, 50
"""Seconds until the clock begins; hours end shortly before cron's minute does."""
LOOK = 5.0


def demo() -> None:
    """From nothing to a picture of what came in and what was found."""
    begun = time.monotonic()
    with stage("Cluster, storage, images, operator"):
        deployed = deploy(Places.here(), choose(), more=[PLAN.namespace], also=["ingest"])
        store = clear(deployed, PLAN)
    with stage("Models, of readings of a week before"):
        train(deployed)
    with stage(f"Hub of {PARTITIONS} partitions, fleet, ingest, schedule, receiver of anomalies"):
        clock = beginning(BEGIN, SPEED, LEAD, AT_SECOND)
        stream = start(deployed, PLAN, store, {}, clock)
        say(f"   on the demo's clock it is {clock.now():%H:%M}, and devices begin at {BEGIN:%H:%M}")
    with stage(f"{HOURS} hours"):
        follow(stream)
    with stage("What became of all that"):
        report(deployed, stream)
    say(f"── Done in {time.monotonic() - begun:.0f} s: see {PICTURE.relative_to(ROOT)}, and look around:")
    say(f"   export KUBECONFIG={deployed.tools.kubeconfig}")
    say(f"   alias kubectl={deployed.tools.kubectl_path}")
    say(f"   kubectl --namespace {PLAN.namespace} get scoringruns,pods")
    say(f"   kubectl --namespace {PLAN.namespace} logs --selector app.kubernetes.io/component=ingest")
    say("   make down      # removes all of it")


def follow(stream: Stream) -> None:
    """Says how far it is until all hours are scored; on the way some things go wrong."""
    wait("the clock to begin", lambda: stream.clock.until(BEGIN) < 0)
    trouble = {0.4: _broken, 1.5: _again}
    said = ""

    def over() -> bool:
        nonlocal said
        for hour in [hour for hour in trouble if stream.clock.now() >= stream.at(hour)]:
            trouble.pop(hour)(stream)
        told = "  ".join(_progress(stream, number) for number in range(HOURS))
        if told != said:
            said = told
            say(f"   {stream.clock.now():%H:%M}  {told}")
        stream.sent()
        return all(stream.ended(number) for number in range(HOURS))

    wait("all hours to be scored", over, 60.0 * (HOURS + 3), LOOK)
    release.stop_schedule(stream.deployed.tools, PLAN.namespace)


def _progress(stream: Stream, number: int) -> str:
    landed = "landed" if stream.success(number) else "open"
    phase = stream.phase(number)
    return f"[{stream.hour(number):%H} {landed}{f', run {phase}' if phase else ''}]"


def _broken(stream: Stream) -> None:
    say(f"   {stream.clock.now():%H:%M}  {len(BROKEN)} events that nobody can read")
    stream.hub("fill", hub=ENTITY, bodies=BROKEN)


def _again(stream: Stream) -> None:
    say(f"   {stream.clock.now():%H:%M}  a connection is cut, and {AGAIN} events are given again")
    stream.give_again(AGAIN)


def report(deployed: Deployed, stream: Stream) -> None:
    """Table, figures and picture."""
    # Half a second of imports, which nothing before needs.
    from examples.stream import picture

    say(f"   {stream.sent().strip()}")
    hours = account.account(stream)
    for line in account.table(hours):
        say(f"   {line}")
    sent = stream.messages()
    account.check(hours, sent)
    say(f"   {sent:,} events sent, each of them counted once")
    BUILD.mkdir(parents=True, exist_ok=True)
    begin = f"--start={BEGIN:%Y-%m-%dT%H:%M:%SZ}"
    # The same options make the same events: here only to learn what is wrong with them.
    labels = f"--labels={LABELS.relative_to(ROOT)}"
    command(deployed, SIMULATE, "events", "--out=/dev/null", begin, *PLAN.options, labels, store=False)
    figures = f"--json={FIGURES.relative_to(ROOT)}"
    command(deployed, SIMULATE, "check", labels, f"--aggregated={release.WINDOW}", figures)
    picture.draw(picture.lanes(stream.store, hours), hours, LABELS, account.alarms(stream), PICTURE)


def main() -> int:
    """The command line; returns the exit code. What stands in the way is said in a sentence."""
    argparse.ArgumentParser(prog="python -m examples.stream", description=__doc__).parse_args()
    try:
        demo()
    except (DemoError, LocalError, InputError, StorageError, OSError) as error:
        sys.stderr.write(f"\ndemo-stream: {error}\n")
        sys.stderr.write(
            "demo-stream: once that is mended run it again; `make doctor` looks at this machine\n"
        )
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(
            "\ndemo-stream: interrupted; `make demo-stream` begins anew, `make down` removes everything\n"
        )
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
