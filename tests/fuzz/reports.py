"""The target of those who look at a run afterwards."""

from __future__ import annotations

from random import Random

from fuzz.runs import OUTPUTS, UID, bombs_of, broken, objects_of, within
from fuzz.target import READ, Target, refusal
from scorer.contract.outcome import SensorError
from scorer.errors import InputError
from scorer.report.load import load


def _report(data: bytes, _: Random) -> str:
    damaged = broken("scored", data)
    try:
        load(damaged.store, UID)
    except InputError as error:
        return refusal("InputError", str(error), "runs/run-01", damaged.path, among=("InputError",))
    except SensorError as error:
        return refusal(error.reason, error.message, "predictions/", among=OUTPUTS)
    return READ


TARGETS = (
    Target(
        "report: outcomes, predictions",
        500,
        objects_of("scored", "runs/", "predictions/"),
        within,
        _report,
        bombs_of("scored"),
    ),
)
