"""Anomalies to where people and systems are: what the publish stage sends once `_SUCCESS` is written.

    results ─▶ rule (count, score, age, debounce) ─▶ routes ─▶ batches ─▶ webhook or Event Hubs
                                                                     └──▶ deadletter/sinks/…

At least once: how far a sink has come lies in `runs/{uid}/sinks/{sink}.json`, and an attempt that was cut
short is gone on with from there. What is sent twice has the same id. A sink never makes a run fail.
"""

from scorer.sinks.event import Found
from scorer.sinks.run import Run, deliver

__all__ = ["Found", "Run", "deliver"]
