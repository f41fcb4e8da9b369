"""Two processes that both believe they have it: a partition, or the landing. One of them is refused."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eventhubs import EventHubs, Threaded
from hub_clients import HUB
from ingest_processes import Blobs, Place, Stream, killed_at_the_end, landed, markers, until

if TYPE_CHECKING:
    from local.azurite import Azurite

pytestmark = [pytest.mark.azurite, pytest.mark.timeout(600)]
SLOW = {"commit": "300ms", "balance": "400ms", "expire": "2s", "claim": "2s", "prefetch": 5, "batch": 5}


def test_who_slept_while_another_took_its_partitions_commits_nothing_more(
    azurite: Azurite, tmp_path: Path
) -> None:
    with Threaded(EventHubs({HUB: 2})) as hubs, killed_at_the_end() as replicas:
        place = Place(hubs, Blobs(azurite), tmp_path)
        settings = place.settings(rates=SLOW)
        start = time.time() // 3_600 * 3_600 - 6 * 3_600
        with Stream(place, start, 200.0, ahead=1_000) as stream:
            sleeper = place.replica("pod-1", settings)
            replicas.append(sleeper)
            until(lambda: min(place.sequences().values(), default=0) > 20, "it reads")
            sleeper.pause()
            before = place.sequences()
            replicas.append(place.replica("pod-2", settings))
            until(lambda: len(replicas[1].owned) == 2, "the other has taken both")
            until(lambda: all(place.sequences()[each] > before[each] for each in before), "and commits")
            sleeper.go_on()
            until(
                lambda: (
                    any("was taken over" in told["message"] for told in sleeper.said)
                    or sleeper.count("partition given back")
                ),
                "it is told so",
            )
            for each in replicas:
                each.kill()
        last = place.replica("pod-3", place.settings(rates=SLOW | {"prefetch": 3_000, "batch": 300}))
        replicas.append(last)
        until(lambda: set(place.sequences().values()) == {stream.filled - 1}, "all read")
        until(lambda: counted(place) == 2 * total(stream), f"all landed: {last.said[-3:]}")
    assert all(each["arrived"]["missed"] == 0 for each in markers(place.store))


def test_two_that_land_at_once_land_what_one_lands(azurite: Azurite, tmp_path: Path) -> None:
    """Each takes the landing from the other as soon as it looks again."""
    found = []
    start = time.time() // 3_600 * 3_600 - 6 * 3_600
    with Threaded(EventHubs({HUB: 2}, groups=["alone"])) as hubs:
        stream: Stream | None = None
        for group, names in (("$Default", ("pod-1", "pod-2", "pod-3")), ("alone", ("pod-4",))):
            place = Place(hubs, Blobs(azurite), tmp_path, group)
            stream = stream or Stream(place, start, 400.0, ahead=2_000)
            rates = {"commit": "200ms", "balance": "400ms", "expire": "2s", "land": "10ms", "claim": "10ms"}
            settings = place.settings(rates=rates)
            with killed_at_the_end() as replicas:
                replicas += [place.replica(name, settings) for name in names]
                wanted = 2 * total(stream)
                until(lambda place=place, wanted=wanted: counted(place) == wanted, f"{group}: all landed")
            whole = landed(place.store)
            ends = sorted(path for path in whole if path.endswith("_SUCCESS"))[:3]
            hours = {path.rpartition("/")[0] for path in ends}
            found.append({path: data for path, data in whole.items() if path.rpartition("/")[0] in hours})
    assert len(found[0]) > 6
    assert found[0] == found[1]


def total(stream: Stream) -> int:
    """Events of each partition: a body that is broken is one, another has two."""
    broken = len(range(0, stream.filled, 97))
    return 2 * (stream.filled - broken) + broken


def counted(place: Place) -> int:
    """Events that have arrived in hours that have landed."""
    hours = markers(place.store)
    return sum(each["arrived"]["events"] - each["arrived"]["duplicate"] for each in hours)
