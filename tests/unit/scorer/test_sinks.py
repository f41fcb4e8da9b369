"""What a run's sinks are sent, and what becomes of what they do not take."""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from delivering import OWN, SHARED, SPAN, Pod, Run, claim, rows
from scorer.contract.outcome import Header
from scorer.contract.publishing import Published, Sent, encode_published
from scorer.contract.sensors import NOTHING_GIVEN
from scorer.contract.sinks import Place, Sink, sinks_of
from scorer.contract.work import Output
from scorer.fence import Claim
from scorer.logs import Log
from scorer.publish.results import decisions_of
from scorer.publish.run import publish_results
from scorer.sinks import Found, deliver
from scorer.sinks import Run as Sending
from scorer.sinks.attempt import Answer, Later, Never, Sender, Taken, UnreachableError
from scorer.sinks.earlier import Earlier
from scorer.sinks.event import Event
from scorer.sinks.ledger import OutdoneError
from scorer.sinks.rule import batches, too_old
from scorer.sinks.run import Clock, _Delivery
from scorer.storage import Store, UnavailableError
from scorer.storage.memory import MemoryStore
from scorer.window import Window

BOTH = pytest.mark.parametrize("output", [OWN, SHARED], ids=["own", "shared"])
OPS: dict[str, Any] = {"name": "ops", "type": "webhook", "url": "https://example.com/hook"}
PROGRESS = "runs/run-01/sinks/ops.json"
DEAD = "deadletter/sinks/ops/2026/01/01/12/hourly.jsonl"


class Wall:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.time = 0.0

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def clock(self) -> Clock:
        return Clock(lambda: self.time, self.sleep)


class Double:
    """A sink that answers as it is told, and remembers what it has taken."""

    def __init__(self, answers: Sequence[Answer] = (), most: int = 1, refuses: str = "") -> None:
        self.answers, self.most, self.refuses = list(answers), most, refuses
        self.taken: list[str] = []
        self.places: list[Place] = []
        self.asked = 0

    def batches(self, items: Sequence[tuple[Place, Event]]) -> list[tuple[Place, list[Event]]]:
        return batches(items, self.most)

    def send(self, place: Place, events: Sequence[Event], seconds: float = 1.0) -> Answer:
        del seconds
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else Taken()
        if events[0].found.sensor in self.refuses:
            answer = Never("answered 400")
        if isinstance(answer, Taken):
            self.taken += [event.id for event in events]
            self.places += [place] * len(events)
        return answer

    def close(self) -> None:
        pass

    def sensors(self) -> list[str]:
        return [name.split("/")[0] for name in self.taken]


def a_run(store: Store, output: Output = OWN, sensors: str = "abc", made: str = "x", **how: Any) -> Run:
    return Run(store, output, dict.fromkeys(sensors, made), **how)


def send(
    run: Run, sink: Double | Sender, wall: Wall | None = None, until: float = 1e9, **settings: Any
) -> Mapping[str, Any]:
    """Publishes the run and sends to a sink with these settings; what became of it."""
    order = run.order._replace(sinks=sinks_of([OPS | settings]), schedule=settings.pop("schedule", ""))
    _, results = publish_results(run.store, order, run.claim, decisions_of(run.decided), run.sensors, Log())
    found = [
        Found(
            *(each.sensor, each.anomalies, each.first_anomaly, each.last_anomaly, each.extreme_score),
            *(each.threshold, each.model, each.prediction, each.group, each.owner),
        )
        for each in results
    ]
    told = deliver(
        Sending(run.store, order, run.claim, found, Log(), {}, until),
        (wall or Wall()).clock(),
        lambda _sink, _secrets: sink,
    )["ops"]
    return {name: value for name, value in told._asdict().items() if value}


def dead(store: Store) -> list[tuple[str, str]]:
    lines = [json.loads(line) for line in store.get(DEAD).data.splitlines()]
    return [(line["event"]["subject"], line["reason"]) for line in lines]


@BOTH
def test_a_sink_hears_of_each_sensor_with_anomalies(output: Output) -> None:
    store, sink = MemoryStore(), Double()
    assert send(a_run(store, output), sink) == {"delivered": 3}
    assert sink.sensors() == ["a", "b", "c"]
    assert json.loads(store.get(PROGRESS).data)["counts"] == {"delivered": 3, "deadlettered": 0}


def test_an_id_is_the_same_for_the_same_result_and_another_for_another() -> None:
    first, again, other = Double(), Double(), Double()
    send(a_run(MemoryStore()), first)
    send(a_run(MemoryStore(), minute=2), again)
    send(a_run(MemoryStore(), made="y"), other)
    assert first.taken == again.taken
    assert not set(first.taken) & set(other.taken)
    assert first.taken[0].startswith("a/2026-01-01T12:00:00Z/2026-01-01T13:00:00Z/")


def test_what_passes_is_tried_again_after_growing_waits() -> None:
    wall, sink = Wall(), Double([Later("answered 503")] * 4)
    assert send(a_run(MemoryStore()), sink, wall) == {"delivered": 3}
    assert sink.sensors() == ["a", "b", "c"]
    assert 0.5 + 1 + 2 <= 2 * wall.time <= 2 * (0.5 + 1 + 2 + 4)


def test_a_sink_is_left_alone_for_as_long_as_it_asks() -> None:
    wall = Wall()
    send(a_run(MemoryStore()), Double([Later("answered 429", 60.0)]), wall)
    assert wall.time == 60


def test_a_sink_that_stays_away_gets_dead_letters_after_its_patience() -> None:
    store, sink = MemoryStore(), Double([Taken(), *[Later("answered 503")] * 100])
    told = send(a_run(store), sink, retrySeconds=60)
    assert told == {"delivered": 1, "deadlettered": 2, "reason": "DeadLettered: answered 503"}
    assert dead(store) == [("b", "answered 503"), ("c", "answered 503")]


def test_no_sink_is_waited_for_beyond_the_attempt() -> None:
    wall = Wall()
    told = send(a_run(MemoryStore()), Double([Later("away")] * 1000), wall, until=5.0)
    assert told["deadlettered"] == 3
    assert wall.time <= 5


def test_one_event_that_is_refused_does_not_hold_up_the_others() -> None:
    store, sink = MemoryStore(), Double([Taken(), Never("answered 400")])
    assert send(a_run(store), sink)["delivered"] == 2
    assert sink.sensors() == ["a", "c"]
    assert dead(store) == [("b", "answered 400")]


def test_a_place_that_refuses_everything_is_asked_once() -> None:
    store, sink = MemoryStore(), Double([Never("answered 401", all=True)])
    assert send(a_run(store), sink)["deadlettered"] == 3
    assert sink.asked == 1


def test_a_sink_that_refuses_one_after_the_other_is_not_asked_for_ever() -> None:
    store, sink = MemoryStore(), Double([Never("answered 400")] * 100)
    many = Run(store, OWN, dict.fromkeys((f"s{place:02}" for place in range(60)), "x"))
    assert send(many, sink)["deadlettered"] == 60
    assert sink.asked == 20
    assert len(dead(store)) == 60


def test_a_sink_that_must_be_asked_first_is_waited_for() -> None:
    class Asked(Double):
        def batches(self, items: Sequence[tuple[Place, Event]]) -> list[tuple[Place, list[Event]]]:
            self.asked += 1
            if self.asked < 4:
                raise UnreachableError(Later("no connection"))
            return super().batches(items)

    assert send(a_run(MemoryStore()), Asked()) == {"delivered": 3}


def test_a_sink_that_cannot_be_asked_gets_dead_letters() -> None:
    class Away(Double):
        def batches(self, items: Sequence[tuple[Place, Event]]) -> list[tuple[Place, list[Event]]]:
            del items
            raise UnreachableError(Later("no connection"))

    store = MemoryStore()
    assert send(a_run(store), Away())["deadlettered"] == 3
    assert [sensor for sensor, _ in dead(store)] == ["a", "b", "c"]


def test_a_defect_of_a_sink_fails_nothing() -> None:
    class Broken(Double):
        def send(self, place: Place, events: Sequence[Event], seconds: float = 1.0) -> Answer:
            del place, events, seconds
            raise RuntimeError("a defect")

    told = send(a_run(MemoryStore()), Broken())
    assert told == {"deadlettered": 3, "reason": "Internal: RuntimeError"}


class KilledError(BaseException):
    """What a test raises in the place of SIGKILL."""


class Mortal(MemoryStore):
    """A store whose writer is killed before or after its so-and-so-many-th put."""

    def __init__(self) -> None:
        super().__init__()
        self.left = -1
        self.after = False

    def put(self, path: str, *args: Any, **how: Any) -> str:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise KilledError
        etag = super().put(path, *args, **how)
        if self.left == 0:
            raise KilledError
        return etag


class KillingDouble(Double):
    """Kills its sender at the so-and-so-many-th request, which it has taken or not."""

    def __init__(self, at: int, taken: bool) -> None:
        super().__init__(refuses="b")
        self.at, self.also = at, taken

    def send(self, place: Place, events: Sequence[Event], seconds: float = 1.0) -> Answer:
        self.at -= 1
        if self.at == 0:
            if self.also:
                super().send(place, events, seconds)
            raise KilledError
        return super().send(place, events, seconds)


def one_attempt(run: Run, found: Sequence[Found], sink: Double, claim: Claim) -> bool:
    """Whether it was killed. Threads end by what they raise, so the sink is sent to in this one."""
    order = run.order._replace(sinks=sinks_of([OPS]))
    sending = Sending(run.store, order, claim, found, Log(), {}, 1e9)
    earlier = Earlier(run.store, order, claim, [each.sensor for each in found], Log())
    try:
        _Delivery(sending, order.sinks[0], Wall().clock(), lambda *_: sink).all(found, earlier)
    except KilledError:
        return True
    return False


def check_killed(run: Run, sink: Double, again: Double) -> None:
    """A second attempt makes good what the first one was killed at; one event at most comes twice."""
    found = [Found(sensor, 2, "", "", 1.0, 0.0, "m", "") for sensor in "abcd"]
    assert one_attempt(run, found, sink, run.claim)
    if isinstance(run.store, Mortal):
        run.store.left = -1
    assert not one_attempt(run, found, again, run.claim._replace(attempt="2026-01-01T13:59:00.000Z"))
    arrived = sink.taken + again.taken
    assert {name.split("/")[0] for name in arrived} == set("acd")
    assert len(arrived) - len(set(arrived)) <= 1
    assert dead(run.store) == [("b", "answered 400")]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("puts", range(1, 7))
def test_killed_at_any_write_everything_arrives(after: bool, puts: int) -> None:
    store = Mortal()
    run = a_run(store, sensors="abcd")
    store.left, store.after = puts, after
    check_killed(run, Double(refuses="b"), Double(refuses="b"))


@pytest.mark.parametrize("at", range(1, 5))
@pytest.mark.parametrize("taken", [False, True], ids=["lost", "taken"])
def test_killed_at_any_request_everything_arrives(at: int, taken: bool) -> None:
    check_killed(a_run(MemoryStore(), sensors="abcd"), KillingDouble(at, taken), Double(refuses="b"))


def test_an_attempt_that_is_outdone_sends_no_more() -> None:
    run = a_run(MemoryStore())
    found = [Found(sensor, 2, "", "", 1.0, 0.0, "m", "") for sensor in "abc"]
    one_attempt(run, found[:2], Double(), run.claim._replace(attempt="2026-01-01T13:59:00.000Z"))
    sink = Double()
    with pytest.raises(OutdoneError, match="later attempt"):
        one_attempt(run, found, sink, run.claim)
    assert sink.asked == 1


def test_a_store_that_fails_fails_no_run() -> None:
    class Away(MemoryStore):
        def put(self, path: str, *args: Any, **how: Any) -> str:
            if "/sinks/" in path:
                raise UnavailableError("storage did not answer")
            return super().put(path, *args, **how)

    told = send(a_run(Away()), Double())
    assert told == {"delivered": 1, "deadlettered": 2, "reason": "StorageUnavailable: storage did not answer"}


def test_a_backfill_is_not_sent() -> None:
    sink = Double()
    told = send(a_run(MemoryStore(), minute=59), sink, maxAgeSeconds=3000)
    assert told["skipped"] == 3
    assert told["reason"].startswith("TooOld: ")
    assert not sink.asked


def test_the_age_that_is_documented_for_corrections_covers_their_horizon() -> None:
    page = Path(__file__).parents[3].joinpath("docs/schedules.md").read_text()
    example = page.partition("### How late a correction still reaches a sink")[2]
    horizon, age = (
        int(re.search(rf"{key}: ([0-9]+)", example)[1])  # type: ignore[index]
        for key in ("horizonSeconds", "maxAgeSeconds")
    )
    last = SPAN.end + timedelta(seconds=horizon)
    usual, such = (sinks_of([OPS | more])[0] for more in ({}, {"maxAgeSeconds": age}))
    assert (too_old(usual, SPAN, last), too_old(such, SPAN, last)) == (True, False)


@pytest.mark.parametrize(
    ("settings", "sensors"),
    [
        ({}, "abc"),
        ({"minAnomalies": 3}, ""),
        ({"minScore": max(rows(each, "x").scores.max() for each in "abc")}, None),
        ({"debounce": {"atLeast": 2, "of": 2}}, "a"),
        ({"debounce": {"atLeast": 2, "of": 3}}, "ab"),
        ({"debounce": {"atLeast": 3, "of": 3}}, ""),
    ],
)
@BOTH
def test_a_rule_suppresses(output: Output, settings: dict[str, Any], sensors: str | None) -> None:
    store, sink = MemoryStore(), Double()
    for hour, which in ((10, "b"), (11, "a")):
        written(store, output, hour, which)
    told = send(a_run(store, output), sink, **settings)
    if sensors is None:
        assert len(sink.taken) == 1
    else:
        assert "".join(sink.sensors()) == sensors
    assert told.get("delivered", 0) + told.get("suppressed", 0) == 3


def written(store: Store, output: Output, hour: int, sensors: str) -> None:
    """Predictions with anomalies, of another hour of the day."""
    earlier = timedelta(hours=12 - hour)
    span = Window(SPAN.start - earlier, SPAN.end - earlier)
    Pod(store, output, claim(0), dict.fromkeys(sensors, "x"), span).run()


def test_a_correction_tells_only_what_has_changed() -> None:
    store = MemoryStore()
    send(a_run(store, name="hourly-20260101t1300z"), Double())
    Run(store, OWN, {"a": "x", "b": "y", "c": "x"}, minute=2, name="hourly-20260101t1300z-c1").publish()
    sink = Double()
    last = Run(store, OWN, {"a": "x", "b": "z", "c": "x"}, minute=3, name="hourly-20260101t1300z-c2")
    last.order = last.order._replace(part=True)
    assert send(last, sink) == {"delivered": 1, "skipped": 2}
    assert sink.sensors() == ["b"]


def test_a_name_makes_no_correction() -> None:
    store, sink = MemoryStore(), Double()
    send(a_run(store, name="nightly"), Double())
    send(Run(store, OWN, dict.fromkeys("abc", "x"), minute=2, name="nightly-c1"), sink)
    assert sink.sensors() == ["a", "b", "c"]


def test_routes_lead_by_group_and_owner() -> None:
    run = a_run(MemoryStore(), sensors="abcd")
    given = {"a": ("pumps", "ann"), "b": ("pumps", "bob"), "c": ("fans", "ann")}
    run.order = run.order._replace(
        given={
            sensor: NOTHING_GIVEN._replace(group=group, owner=owner)
            for sensor, (group, owner) in given.items()
        }
    )
    routes = [
        {"match": {"group": ["pumps"], "owner": ["bob"]}, "url": "https://example.com/bob"},
        {"match": {"group": ["pumps"]}, "url": "https://example.com/pumps"},
        {"match": {"group": ["fans"]}, "drop": True},
    ]
    sink = Double()
    assert send(run, sink, routes=routes) == {"delivered": 3, "skipped": 1}
    went = {
        sensor: place.url.rpartition("/")[2]
        for sensor, place in zip(sink.sensors(), sink.places, strict=True)
    }
    assert went == {"a": "pumps", "b": "bob", "d": "hook"}


def test_all_sinks_are_sent_to() -> None:
    run = a_run(MemoryStore())
    names = ["one", "two", "three"]
    order = run.order._replace(sinks=sinks_of([OPS | {"name": name} for name in names]))
    found = [Found("a", 2, "", "", 1.0, 0.0, "m", "")]
    sinks = {name: Double() for name in names}
    sinks["two"].answers = [Never("answered 404", all=True)]

    def opened(sink: Sink, _secrets: Mapping[str, str]) -> Sender:
        return sinks[sink.name]

    told = deliver(Sending(run.store, order, run.claim, found, Log(), {}, 1e9), Wall().clock(), opened)
    assert {name: (sent.delivered, sent.deadlettered) for name, sent in told.items()} == {
        "one": (1, 0),
        "two": (0, 1),
        "three": (1, 0),
    }


def routed(run: Run, sink: Double, groups: Mapping[str, str], wall: Wall, **how: Any) -> Mapping[str, Any]:
    """Sends to the sink; what is of the group `sick` to an address of that name."""
    routes = [{"match": {"group": ["sick"]}, "url": "https://sick.example/"}]
    run.order = run.order._replace(
        given={sensor: NOTHING_GIVEN._replace(group=group) for sensor, group in groups.items()}
    )
    return send(run, sink, wall, routes=routes, **how)


class Half(Double):
    """The address of the sick is."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer

    def send(self, place: Place, events: Sequence[Event], seconds: float = 1.0) -> Answer:
        return self.answer if "sick" in place.url else super().send(place, events, seconds)


@pytest.mark.parametrize("answer", [Later("Connection refused"), Later("answered 429", 3600.0)])
def test_a_place_that_is_away_holds_up_no_other(answer: Answer) -> None:
    sink = Half(answer)
    told = routed(a_run(MemoryStore(), sensors="abcd"), sink, {"a": "sick"}, Wall(), until=30.0)
    assert (told["delivered"], told["deadlettered"]) == (3, 1)
    assert sink.sensors() == ["b", "c", "d"]


class Ailing(Double):
    """Each request to the address of the sick takes `sick` seconds, and those to others `well`."""

    def __init__(self, wall: Wall, sick: float, well: float, answers: Sequence[Answer]) -> None:
        super().__init__()
        self.wall, self.sick, self.well, self.troubles = wall, sick, well, list(answers)
        self.tries: list[float] = []
        self.arrived: list[float] = []

    def send(self, place: Place, events: Sequence[Event], seconds: float = 1.0) -> Answer:
        if "sick" not in place.url:
            self.wall.time += self.well
            self.arrived.append(self.wall.time)
            return super().send(place, events, seconds)
        self.tries.append(self.wall.time)
        self.wall.time += self.sick
        return self.troubles.pop(0) if self.troubles else super().send(place, events, seconds)


@pytest.mark.parametrize("sick", ["s00", "s40"])
def test_a_place_in_trouble_is_tried_again_while_others_are_sent_to(sick: str) -> None:
    wall = Wall()
    sink = Ailing(wall, 0.0, 5.0, [Later("answered 503")] * 4)
    run = a_run(MemoryStore(), sensors=[f"s{place:02}" for place in range(41)])  # type: ignore[arg-type]
    assert routed(run, sink, {sick: "sick"}, wall, until=580.0) == {"delivered": 41}
    assert len(sink.tries) == 5
    assert max(after - before for before, after in itertools.pairwise(sink.tries)) <= 10.0


def test_others_have_half_of_the_time_while_places_do_not_answer() -> None:
    wall, names = Wall(), [f"s{place:02}" for place in range(40)]
    sink = Ailing(wall, 20.0, 0.5, [Later("no answer")] * 100)
    routes = [
        {"match": {"group": [f"sick{name}"]}, "url": f"https://sick{name}.example/"} for name in names[:5]
    ]
    run = a_run(MemoryStore(), sensors=names)  # type: ignore[arg-type]
    run.order = run.order._replace(
        given={name: NOTHING_GIVEN._replace(group=f"sick{name}") for name in names[:5]}
    )
    told = send(run, sink, wall, until=580.0, routes=routes)
    assert (told["delivered"], told["deadlettered"]) == (35, 5)
    assert max(sink.arrived) <= 5 * 20 + 2 * 35 * 0.5 + 20


def test_a_place_that_refuses_one_after_the_other_stops_no_other() -> None:
    names = [f"s{place:02}" for place in range(40)]
    sink = Half(Never("answered 400"))
    run = a_run(MemoryStore(), sensors=names)  # type: ignore[arg-type]
    told = routed(run, sink, dict.fromkeys(names[:30], "sick"), Wall())
    assert (told["delivered"], told["deadlettered"]) == (10, 30)


def test_a_place_that_cannot_be_asked_first_stops_no_other() -> None:
    class HalfAsked(Double):
        def batches(self, items: Sequence[tuple[Place, Event]]) -> list[tuple[Place, list[Event]]]:
            if any("sick" in place.url for place, _ in items):
                raise UnreachableError(Never("there is no hub", all=True))
            return super().batches(items)

    sink = HalfAsked()
    told = routed(a_run(MemoryStore()), sink, {"a": "sick"}, Wall())
    assert told == {"delivered": 2, "deadlettered": 1, "reason": "DeadLettered: there is no hub"}


def test_a_sink_that_is_slow_is_sent_to_no_longer_than_the_attempt_lasts() -> None:
    class Slow(Double):
        def send(self, place: Place, events: Sequence[Event], seconds: float = 1.0) -> Answer:
            wall.time += min(9.0, seconds)
            return super().send(place, events, seconds)

    wall, store = Wall(), MemoryStore()
    told = send(a_run(store, sensors="abcdefgh"), Slow(), wall, until=30.0)
    assert (wall.time, told["delivered"], told["deadlettered"]) == (30.0, 4, 4)
    assert [sensor for sensor, _ in dead(store)] == list("efgh")
    assert told["reason"].startswith("DeadLettered: out of time")


def test_a_sink_that_hangs_is_left_when_the_attempt_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scorer.sinks.run.HANGS_SECONDS", 0.0)
    hangs, over = threading.Event(), threading.Event()

    class Hanging(Double):
        def send(self, place: Place, events: Sequence[Event], seconds: float = 1.0) -> Answer:
            if self.asked:
                wall.time = 1e9
                hangs.set()
                over.wait(300)
            return super().send(place, events, seconds)

    class Ends(Wall):
        def clock(self) -> Clock:
            return Clock(self.now, self.sleep)

        def now(self) -> float:
            if threading.current_thread() is threading.main_thread():
                assert hangs.wait(300)
            return self.time

    wall = Ends()
    try:
        told = send(a_run(MemoryStore()), Hanging(), wall, until=2.0)
    finally:
        over.set()
    assert (told["delivered"], told["deadlettered"]) == (1, 2)
    assert told["reason"].startswith("OutOfTime: ")


def test_what_the_debounce_has_no_time_to_decide_is_a_dead_letter() -> None:
    store, sink = MemoryStore(), Double()
    told = send(a_run(store), sink, until=-1.0, debounce={"atLeast": 2, "of": 2})
    assert (told["deadlettered"], sink.asked) == (3, 0)


def test_what_was_delivered_before_the_store_failed_counts_as_delivered() -> None:
    class Bad(MemoryStore):
        left = 3

        def put(self, path: str, *args: Any, **how: Any) -> str:
            if path == PROGRESS:
                self.left -= 1
                if self.left == 0:
                    raise UnavailableError("storage did not answer")
            return super().put(path, *args, **how)

    sink = Double()
    told = send(a_run(Bad(), sensors="abcdef"), sink)
    assert (told["delivered"], told["deadlettered"]) == (len(sink.taken), 6 - len(sink.taken))


def test_a_correction_tells_what_was_suppressed_before() -> None:
    store, sink = MemoryStore(), Double()
    rule = {"debounce": {"atLeast": 2, "of": 2}}
    written(store, OWN, 11, "a")
    told = send(a_run(store, sensors="ab", name="hourly-20260101t1300z"), Double(), **rule)
    assert told == {"delivered": 1, "suppressed": 1}
    written(store, OWN, 11, "ab")  # the hour before was corrected
    again = Run(store, OWN, dict.fromkeys("ab", "x"), minute=2, name="hourly-20260101t1300z-c1")
    again.order = again.order._replace(part=True)
    assert send(again, sink, **rule) == {"delivered": 1, "skipped": 1}
    assert sink.sensors() == ["b"]


@pytest.mark.parametrize(("answer", "sensors"), [(Never("answered 401", all=True), "abc"), (Taken(), "")])
def test_a_correction_tells_what_nobody_was_told(answer: Answer, sensors: str) -> None:
    store, sink = MemoryStore(), Double()
    send(a_run(store, name="hourly-20260101t1300z"), Double([answer]))
    again = Run(store, OWN, dict.fromkeys("abc", "x"), minute=2, name="hourly-20260101t1300z-c1")
    again.order = again.order._replace(part=True)
    send(again, sink)
    assert "".join(sink.sensors()) == sensors


def test_what_an_earlier_attempt_has_delivered_is_no_dead_letter() -> None:
    class Away(Double):
        def batches(self, items: Sequence[tuple[Place, Event]]) -> list[tuple[Place, list[Event]]]:
            del items
            raise UnreachableError(Never("no connection"))

    run = a_run(MemoryStore(), sensors="abcd")
    found = [Found(sensor, 2, "", "", 1.0, 0.0, "m", "") for sensor in "abcd"]
    first = KillingDouble(3, taken=False)
    first.refuses = ""
    assert one_attempt(run, found, first, run.claim)
    assert not one_attempt(run, found, Away(), run.claim)
    assert first.sensors() == ["a", "b"]
    assert [sensor for sensor, _ in dead(run.store)] == ["c", "d"]
    assert json.loads(run.store.get(PROGRESS).data)["counts"] == {"delivered": 2, "deadlettered": 2}


@pytest.mark.parametrize("letter", ["\x01", '"', "é", "\\", "\u2028", "\ud800"])
def test_eight_sinks_with_much_to_say_fit_into_a_message(letter: str) -> None:
    sinks = {f"{place}".ljust(63, "x"): Sent(10**5, 10**5, 10**5, 10**5, letter * 900) for place in range(8)}
    published = Published("m" * 60, "0" * 64, "s" * 500, "a" * 300, {}, {}, (), sinks)
    text = encode_published(Header("u" * 36, 0, 0, "2026-01-01T13:01:00.000Z"), published, {"total": 1})
    assert len(text) < 4096
    for told in json.loads(text)["sinks"].values():
        assert told["reason"].isprintable() or letter == "\ud800"
