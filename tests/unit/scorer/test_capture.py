"""Files of Event Hubs Capture: found by their times, decoded, each message once."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from capture_files import MINUTE, NOON, USUAL, capture_bytes, message, recoded
from scorer.captured import captured
from scorer.contract.capture import check_capture_path
from scorer.contract.outcome import SensorError
from scorer.contract.paths import TemplateError
from scorer.contract.work import Columns, ReadingsSource
from scorer.inflated import MAX_BODY
from scorer.readings import Reader, Readings
from scorer.readings.avro import Message
from scorer.readings.batch import Plan, Span
from scorer.readings.capture import Seen
from scorer.readings.zones import Zone
from scorer.sources import Sources
from scorer.storage.memory import MemoryStore
from scorer.window import Window, window

HOUR = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
DAY = datetime(2026, 1, 1, tzinfo=UTC)


def body(sensor: str = "a", minute: float = 5, value: Any = 1.5, **more: Any) -> bytes:
    time = (DAY + timedelta(hours=12, minutes=minute)).isoformat()
    return json.dumps({"sensor": sensor, "time": time, "value": value} | more).encode()


def put(
    store: MemoryStore, name: str, *bodies: bytes, first: int = 0, partition: int = 0, **how: Any
) -> None:
    """A file of the capture window that began then (hour/minute/second)."""
    messages = [message(first + place, each, **how) for place, each in enumerate(bodies)]
    store.put(f"ns/hub/{partition}/2026/01/01/{name}.avro", capture_bytes(messages, name))


def read(
    store: MemoryStore, sensor: str = "a", span: Window = HOUR, path: str = USUAL, **how: Any
) -> Readings:
    source = ReadingsSource(path, layout="capture", **how)
    found = Sources(store, source, span, ("a", "b")).find(sensor)
    return Reader(source, span).read(found, sensor, ["value"])


def test_each_sensor_gets_its_rows_from_all_partitions() -> None:
    store = MemoryStore()
    put(store, "12/05/00", body("a", 6), body("b", 6, 2.0))
    put(store, "12/05/00", body("a", 7, 3.0), partition=1)
    put(store, "12/10/00")
    assert read(store).values[:, 0].tolist() == [1.5, 3.0]
    assert read(store, "b").values[:, 0].tolist() == [2.0]


def test_a_file_is_looked_for_from_before_the_window_until_after_it() -> None:
    store = MemoryStore()
    for place, name in enumerate(["11/39/59", "11/40/00", "13/15/00", "13/15/01"]):
        put(store, name, body(minute=10 + place), first=place)
    assert [str(time) for time in read(store).times.astype("M8[us]")] == [
        "2026-01-01T12:11:00.000000",
        "2026-01-01T12:12:00.000000",
    ]
    assert len(read(store, late_seconds=0).times) == 1


@pytest.mark.parametrize(
    "path",
    [
        "raw/{EventHub}-{Namespace}/{Year}-{Month}-{Day}/{Hour}/{Minute}/{Second}/{PartitionId}.avro",
        "{Second}/{Minute}/{Hour}/{Day}/{Month}/{Year}/{PartitionId}/{EventHub}/{Namespace}",
        "{Year}{Month}{Day}{Hour}{Minute}{Second}_{PartitionId}_{EventHub}_{Namespace}",
        "here/{PartitionId}/{Year}/{Hour}/{Month}/{Day}/{Minute}{Second}.avro",
    ],
)
def test_tokens_may_stand_in_any_order(path: str) -> None:
    store = MemoryStore()
    for hour, minute in [(11, 5), (12, 0), (12, 55), (15, 0)]:
        told = {"Year": "2026", "Month": "01", "Day": "01", "Hour": f"{hour}", "Minute": f"{minute:02}"}
        told |= {"Second": "07", "PartitionId": "3", "EventHub": "hub", "Namespace": "ns"}
        store.put((path if path.endswith(".avro") else path + ".avro").format(**told), b"")
    found = captured(store, check_capture_path(path), DAY + timedelta(hours=12), DAY + timedelta(hours=13))
    assert [(each.begun.hour, each.begun.minute) for each in found] == [(12, 0), (12, 55)]
    assert {each.source[2] for each in found} == {"3"}


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("{Namespace}/{Year}/{Month}/{Day}/{Hour}/{Minute}", "{Second}"),
        (f"{USUAL}/{{sensor}}", "{sensor}"),
        (f"{USUAL}/{{Year}}", "twice"),
        (f"{USUAL}*", "single *"),
        (f"/{USUAL}", "empty"),
        (f"../{USUAL}", ".."),
        ("", "wanted 1 to"),
    ],
)
def test_paths_that_cannot_be_captures_are_refused(path: str, names: str) -> None:
    with pytest.raises(TemplateError) as refused:
        check_capture_path(path)
    assert names in str(refused.value)


def test_a_message_in_two_files_is_read_once() -> None:
    store = MemoryStore()
    put(store, "12/05/00", body(minute=1), body(minute=2, value="x"))
    put(store, "12/10/00", body(minute=2, value="x"), body(minute=3), first=1)
    found = read(store)
    assert found.rows == (3, 2, 1, 0)


def seen_files(seen: Seen, files: list[list[tuple[int, int]]]) -> list[list[tuple[int, int]]]:
    """What is fresh of files of one partition, one after the other: (second, sequence number) each."""
    found = []
    for place, some in enumerate(files):
        told = [
            Message(
                number,
                "",
                f"1/1/2026 {12 + at // 3600}:{at // 60 % 60:02}:{at % 60:02} PM",
                {},
                {},
                b"%d" % at,
            )
            for at, number in some
        ]
        fresh = seen.fresh(f"ns/hub/0/2026/01/01/12/{place:02}/00.avro", iter(told))
        found.append([(int(each.body), each.sequence) for each in fresh])
    return found


def a_plan() -> Plan:
    span = Span(NOON, NOON + 60 * MINUTE)
    return Plan("time", ("value",), span, Zone("UTC", "Reject", span))


@pytest.mark.parametrize("seed", range(20))
def test_what_was_in_any_file_before_is_not_fresh(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 (chance, not a secret)
    hub, at, number = [], 0, 0
    for _ in range(400):
        at += chance.choice([0, 0, 1, 3])
        number += chance.choice([1, 1, 1, 1, 5])
        if chance.random() < 0.01:
            at, number = at + 1, 0  # made anew
        hub.append((at, number))
    files, begin = [], 0
    while begin < len(hub):
        end = begin + chance.randrange(1, 40)
        files.append(hub[max(begin - chance.choice([0, 0, 5, 60]), 0) : end])
        begin = end
    known: set[tuple[int, int]] = set()
    wanted = []
    for some in files:
        wanted.append([each for each in some if each not in known])
        known.update(some)
    assert seen_files(Seen(USUAL, a_plan()), files) == wanted


def test_files_that_follow_each_other_are_one_run_and_gaps_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = Seen(USUAL, a_plan())
    seen_files(seen, [[(place, place) for place in range(first, first + 10)] for first in range(0, 500, 10)])
    assert [len(runs) for runs in seen._runs.values()] == [1]
    monkeypatch.setattr("scorer.readings.capture.MAX_RUNS", 7)
    seen = Seen(USUAL, a_plan())
    gaps = [[(place, 2 * place) for place in range(first, first + 50)] for first in range(0, 500, 50)]
    assert seen_files(seen, gaps) == gaps
    assert [len(runs) for runs in seen._runs.values()] == [7]
    assert seen_files(seen, [gaps[-1][-7:]]) == [[]]


def test_a_hub_that_was_made_anew_repeats_numbers_and_no_messages() -> None:
    store = MemoryStore()
    put(store, "12/05/00", body(minute=1), body(minute=2))
    put(store, "12/10/00", body(minute=3), body(minute=4), enqueued=NOON + 10 * MINUTE)
    assert read(store).rows.scored == 4


def test_rows_of_one_time_are_duplicates_as_elsewhere() -> None:
    store = MemoryStore()
    put(store, "12/05/00", body(minute=1), body(minute=1, value=9))
    found = read(store)
    assert (found.rows, found.values[0, 0]) == ((2, 1, 0, 1), 9.0)


BODIES = {
    "an array": [b"[" + body(minute=1) + b"," + body(minute=2) + b"]"],
    "lines": [body(minute=1) + b"\n" + body(minute=2) + b"\n"],
    "gzip": [gzip.compress(body(minute=1)), body(minute=2)],
    "with a mark": [b"\xef\xbb\xbf" + body(minute=1), body(minute=2)],
    "over lines": [json.dumps(json.loads(body(minute=1)), indent=1).encode(), body(minute=2)],
    "csv": [b"sensor,time,value\na,2026-01-01T12:01:00Z,1.5\na,2026-01-01T12:02:00Z,1.5\n"],
    "csv by semicolon": [b"sensor;time;value\r\n\r\na;2026-01-01T12:01:00Z;1.5\r\n", body(minute=2)],
}


@pytest.mark.parametrize("bodies", BODIES.values(), ids=BODIES)
def test_bodies_are_what_devices_send(bodies: list[bytes]) -> None:
    store = MemoryStore()
    put(store, "12/05/00", *bodies)
    assert read(store).values[:, 0].tolist() == [1.5, 1.5]


def test_a_body_neither_swallows_anothers_nor_adds_to_it() -> None:
    store = MemoryStore()
    put(store, "12/05/00", b'{"x":[{}', body("a", 6, 20.5), b"{}]},{}," + body("a", 7, 999.0))
    found = read(store)
    assert (found.values[:, 0].tolist(), found.rows) == ([20.5], (1, 1, 0, 0))
    assert "2 records" in found.lost


def test_gzip_of_several_members_is_read_whole_and_up_to_the_bound() -> None:
    store = MemoryStore()
    members = [gzip.compress(body(minute=minute) + b"\n") for minute in (1, 2)]
    put(
        store,
        "12/05/00",
        b"".join(members),
        gzip.compress(body(minute=3) + bytes(1).replace(b"\0", b" ") * 5_000_000),
    )
    put(store, "12/06/00", gzip.compress(b" " * (MAX_BODY + 1)), gzip.compress(body())[:-9], first=2)
    found = read(store)
    assert found.rows.scored == 3
    assert f"more than {MAX_BODY} bytes" in found.lost


@pytest.mark.parametrize(
    "header", [b"Sensor Name,Value, time", b"Sensor Name, Value, time", b'"Sensor Name", Value ,time']
)
@pytest.mark.parametrize("delimiter", [b",", b";", b"\t", b"|"])
def test_a_space_in_a_header_is_no_delimiter_where_another_is(header: bytes, delimiter: bytes) -> None:
    store = MemoryStore()
    lines = header + b"\na, 3.5, 2026-01-01T12:05:00Z\n"
    put(store, "12/05/00", lines.replace(b",", delimiter))
    source = ReadingsSource(USUAL, layout="capture", columns=Columns(sensor="Sensor Name"))
    found = Sources(store, source, HOUR, ("a", "b")).find("a")
    assert Reader(source, HOUR).read(found, "a", ["Value"]).values.tolist() == [[3.5]]


@pytest.mark.parametrize(
    "many",
    [
        b"[" + b"{}," * 200 + b"{}]",
        b"{\n" * 200,
        b"sensor,time,value\n" + b",,\n" * 100,
        b"sensor\ttime\tvalue\n" + b"\t\t\n" * 100,
    ],
)
def test_a_body_of_more_values_than_can_be_held_is_one_broken_record(
    many: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scorer.readings.capture.MAX_VALUES", 250)
    store = MemoryStore()
    put(store, "12/05/00", body(minute=1), many)
    found = read(store)
    assert found.rows.scored == 1
    assert "more than 250 values" in found.lost


@pytest.mark.parametrize(
    "broken", [b"", b"{", b"[", b"nonsense", b"\x1f\x8bx", b"[1]", b'"x"', b"\xff\xfe", b"a,b\n1,2,3\n"]
)
def test_a_body_that_cannot_be_read_is_said_and_its_file_goes_on(broken: bytes) -> None:
    store = MemoryStore()
    put(store, "12/05/00", body(minute=1), broken, body(minute=2))
    put(store, "12/06/00", broken, first=3)
    found = read(store)
    assert found.rows.scored == 2
    assert "cannot be decoded" in found.lost or "name no sensor" in found.lost


def test_rows_that_cannot_be_scored_are_rejected_with_their_reasons() -> None:
    store = MemoryStore()
    put(
        store,
        "12/05/00",
        body(minute=1),
        body(minute=2, value="x"),
        body(minute=3, value=None),
        b'{"sensor":"a","value":1}',
    )
    found = read(store)
    assert found.rejected == {"NotANumber": 1, "MissingValue": 1, "MissingTime": 1}
    assert found.rows.read == found.rows.scored + found.rows.rejected + found.rows.duplicate


def test_what_the_hub_says_of_a_message_are_columns_that_no_body_can_forge() -> None:
    store = MemoryStore()
    system = {"iothub-connection-device-id": "a"}
    forged = json.dumps({"SystemProperties.iothub-connection-device-id": "b", "t": {"v": 7}}).encode()
    put(store, "12/05/00", forged, system=system, properties={"kind": 3}, enqueued=NOON + 61_500_000)
    columns = Columns("EnqueuedTimeUtc", "{SystemProperties.iothub-connection-device-id}", {"value": "t.v"})
    found = read(store, columns=columns)
    assert found.values[:, 0].tolist() == [7.0]
    assert str(found.times.astype("M8[us]")[0]) == "2026-01-01T12:01:01.000000"
    assert not len(read(store, "b", columns=columns).times)


def test_a_column_that_no_message_has_is_said() -> None:
    store = MemoryStore()
    put(store, "12/05/00", body())
    with pytest.raises(SensorError, match="'Value' is not there"):
        read(store, columns=Columns(features={"value": "Value"}))


def test_files_without_messages_and_of_no_bytes_are_heartbeats() -> None:
    store = MemoryStore()
    put(store, "12/05/00")
    store.put("ns/hub/0/2026/01/01/12/10/00.avro", b"")
    assert read(store).rows.read == 0


def test_without_a_file_the_template_is_what_was_looked_for() -> None:
    found = Sources(MemoryStore(), ReadingsSource(USUAL, layout="capture"), HOUR, ("a",)).find("a")
    assert (found.files, found.absent) == ((), (USUAL,))


@pytest.mark.parametrize(
    ("codec", "pack"),
    [
        (b"null", lambda plain: plain),
        (
            b"snappy",
            lambda plain: (
                pa.Codec("snappy").compress(plain, asbytes=True) + zlib.crc32(plain).to_bytes(4, "big")
            ),
        ),
    ],
)
def test_other_codecs_are_read(codec: bytes, pack: Any) -> None:
    data = capture_bytes([message(0, body(minute=1))])
    store = MemoryStore()
    store.put("ns/hub/0/2026/01/01/12/05/00.avro", recoded(data, codec, pack))
    assert read(store).values[:, 0].tolist() == [1.5]


def broken_files() -> dict[str, tuple[bytes, str]]:
    data = capture_bytes([message(0, body(minute=1))])
    schema = data.index(b'{"type"')
    return {
        "no avro": (b"PAR1" + data[4:], "wanted Avro"),
        "cut": (data[:-20], "end in their middle"),
        "another mark": (data[:-1] + bytes([data[-1] ^ 1]), "mark"),
        "another codec": (data.replace(b"deflate", b"inflate"), "compressed by 'inflate'"),
        "schema without body": (data.replace(b'"Body"', b'"body"'), "without SequenceNumber and Body"),
        "a body of numbers": (
            data.replace(b'["null","bytes"]', b'["null","float"]'),
            "field Body of float/null",
        ),
        "no schema": (data[:schema] + b"[" + data[schema + 1 :], "no JSON"),
        "a bomb": (
            recoded(data, b"deflate", lambda _: zlib.compress(bytes(40_000_000), 9)[2:-4]),
            "inflated",
        ),
        "a count": (recoded(data, b"null", lambda plain: plain + b"\0"), "beyond its messages"),
    }


@pytest.mark.parametrize("name", broken_files())
def test_broken_files_are_refused(name: str) -> None:
    data, said = broken_files()[name]
    store = MemoryStore()
    store.put("ns/hub/0/2026/01/01/12/05/00.avro", data)
    with pytest.raises(SensorError, match=said) as refused:
        read(store)
    assert refused.value.reason == "ReadingsCorrupt"


def test_many_messages_of_many_sensors_are_the_same_in_any_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    put(store, "12/05/00", *(body("ab"[place % 2], place / 100, place) for place in range(3000)))
    whole = read(store)
    monkeypatch.setattr("scorer.readings.capture.BLOCK_MESSAGES", 7)
    assert np.array_equal(whole.values, read(store).values)
    assert whole.rows.scored == 1500 - 1  # the one at the window's start is not its own
