"""From late events to the sensors of the run that a schedule makes for them: ingest, `changes`, prepare."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scorer.changes import Change, Changes, find, list_template
from scorer.ingest.landing import Landing
from scorer.listed import list_path, names_of, read_all
from scorer.logs import Log
from scorer.prepare.stage import prepare
from scoring import at
from unit.ingest.test_correcting import EACH, FOLDER, SHARDS, Plant, plant
from unit.scorer.test_prepare import order

NOON, DAY = at(12), timedelta(days=1)
TEMPLATE = list_template("readings/{yyyy}/{MM}/{dd}/{HH}/*.csv")


def corrected(hour: Plant) -> Changes:
    return find(hour.store, TEMPLATE, NOON + timedelta(hours=2), DAY)


def rescored(hour: Plant, run: str) -> tuple[str, ...]:
    """The sensors of the fleet's table that are scored again."""
    wanted = order(resolve={"table": "fleet.csv"}, only=f"{FOLDER}/_corrected.csv")
    wanted = wanted._replace(run=wanted.run._replace(uid=run))
    if not prepare(hour.store, wanted, Log()).total:
        return ()
    _, listed = read_all(hour.store, list_path(run))
    return names_of(listed)


@pytest.mark.parametrize("landing", [EACH, SHARDS], ids=["sensors", "shards"])
def test_late_events_are_rescored_in_their_own_hour(landing: Landing) -> None:
    hour = plant(landing)
    hour.store.put("fleet.csv", b"sensor\na\nb\nd\n")
    assert corrected(hour) == Changes([])
    hour.send("f", 30, 75)  # of no fleet
    hour.again()
    assert corrected(hour) == Changes([Change(NOON + timedelta(hours=1), 1)])
    assert rescored(hour, "c1") == ()
    for sensor in "da":
        hour.send(sensor, 31, 76)
    hour.again()
    assert corrected(hour) == Changes([Change(NOON + timedelta(hours=1), 2)])
    assert rescored(hour, "c2") == ("a", "d")
