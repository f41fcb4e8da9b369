"""`make demo`: cluster, operator, 15 models, one ScoringRun, a report. Can be run again at any time."""

from __future__ import annotations

import argparse
import sys
import time

from examples.demo import monitoring, scoring
from examples.demo.console import say, stage
from examples.demo.errors import DemoError
from examples.demo.scoring import BUILD, ROOT
from local.backend import choose
from local.deploy import NAMESPACE, deploy
from local.errors import LocalError
from local.places import Places
from scorer.errors import InputError
from scorer.storage import StorageError

INTERRUPTED = 130


def demo() -> None:
    """The main job, from nothing to a picture of the anomalies."""
    begun = time.monotonic()
    places = Places.here()
    with stage("Cluster, storage, images, operator"):
        backend = choose(places)
        deployed = deploy(places, backend)
        prometheus = monitoring.prometheus(backend)
    with stage("Readings"):
        scoring.land(deployed)
    with stage("Models"):
        scoring.train(deployed)
    applied = time.time()
    with stage("Run"):
        run = scoring.score(deployed)
        scoring.check(run)
    if prometheus:
        with stage("Latency of its Jobs"):
            monitoring.show(prometheus, run, applied, BUILD / "latency.png")
    with stage("Report"):
        scoring.report(deployed, run)
    reports = " and ".join(str((BUILD / name).relative_to(ROOT)) for name in ("report.html", "report.png"))
    say(f"── Done in {time.monotonic() - begun:.0f} s: see {reports}, and look around:")
    say(f"   export KUBECONFIG={deployed.tools.kubeconfig}")
    say(f"   alias kubectl={deployed.tools.kubectl_path}")
    say(f"   kubectl --namespace {NAMESPACE} get scoringruns,jobs")
    if prometheus:
        say(f"   {prometheus.url}      # Prometheus, as long as the cluster is up")
        say("   make dashboard-preview      # the Grafana dashboards, drawn from it")
    say("   make down      # removes all of it")


def main() -> int:
    """The command line; returns the exit code. What stands in the way is said in a sentence."""
    argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__).parse_args()
    try:
        demo()
    except (DemoError, LocalError, InputError, StorageError, OSError) as error:
        sys.stderr.write(f"\ndemo: {error}\n")
        sys.stderr.write("demo: once that is mended run it again; `make doctor` looks at this machine\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\ndemo: interrupted; `make demo` goes on, `make down` removes everything\n")
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
