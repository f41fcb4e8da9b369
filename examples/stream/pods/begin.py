"""`sensorscore-simulate` with these arguments, just when the demo's clock begins; all is loaded before.

A pod's own seconds to start would be minutes by that clock, and all events late by them.
"""

import os
import sys
import time

import azure.eventhub.aio  # noqa: F401

from scorer.simulate.cli import main

PATIENCE = 8.0
"""Seconds: as many minutes by the demo's clock, within ingest's tolerance."""

when = float(os.environ["STREAM_CLOCK"].split()[0])
if time.time() > when + PATIENCE:
    sys.exit(f"this pod began {time.time() - when:.0f} s after the demo's clock: the machine is too busy")
time.sleep(max(when - time.time(), 0.0))
sys.exit(main(sys.argv[1:]))
