"""The operator keeps the contract: this folder's vectors, hostile messages, and the real scorer."""

from __future__ import annotations

import contextlib
import copy
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract_vectors import vectors
from scorer.contract import Header, Rows, encode_message, parse_work_order
from scorer.contract.outcome import Letters
from scorer.contract.publishing import parse_decisions
from scoring_operator.chunks import Chunk, InStore, Left, SensorSet, StoredSensors
from scoring_operator.contract import (
    FAIL_JOB,
    IGNORED,
    MESSAGE_LIMIT,
    ContractError,
    Exit,
    Expected,
    PrepareMessage,
    Sent,
    check_template,
    default_marker,
    is_sensor_name,
    parse_message,
    parse_prepared,
    parse_published,
    shard_of,
)
from scoring_operator.jobs import (
    decisions_config_map,
    preparation,
    prepare_order,
    publish_order,
    scoring_job,
    work_order,
)
from scoring_operator.publishing import decisions
from scoring_operator.ranges import RangeSet
from scoring_operator.resource import Run, parse_run
from scoring_operator.settings import Store
from scoring_operator.spec import parse_spec
from scoring_operator.status import Failure, Status, Verdict
from scoring_operator.times import parse_time
from unit.operator.given import NESTED, NOW, a_run, chunks_of, means, publishing, run_body, sensors, spec_of

Json = dict[str, Any]
OUTCOMES = vectors("outcomes")
TEMPLATES = vectors("templates")
ORDERS = vectors("work_orders")
PREPARING = vectors("preparing")
PUBLISHING = vectors("publishing")


def expected(size: int) -> Expected:
    return Expected(size=size, **OUTCOMES["expected"])


def by_name(cases: list[Json]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


def test_exit_codes() -> None:
    named = {
        each.name.title(): {
            "code": int(each),
            "jobFails": each in FAIL_JOB,
            "jobIgnores": each in IGNORED,
        }
        for each in Exit
    }
    assert vectors("exit_codes") == named


@pytest.mark.parametrize("name", vectors("sensor_names")["valid"])
def test_sensor_names(name: str) -> None:
    assert is_sensor_name(name)


@pytest.mark.parametrize("name", vectors("sensor_names")["invalid"])
def test_what_is_no_sensor_name(name: str) -> None:
    assert not is_sensor_name(name)


@pytest.mark.parametrize("case", TEMPLATES["refused"], ids=lambda case: f"{case['field']}:{case['path']!r}")
def test_templates_refused(case: Json) -> None:
    with pytest.raises(ContractError) as refused:
        check_template(case["field"], case["path"])
    assert case["field"] in str(refused.value)
    assert case["names"] in str(refused.value)


@pytest.mark.parametrize("field", ["output", "readings"])
def test_templates_that_can_be_expanded_are_taken(field: Any) -> None:
    for case in TEMPLATES[field]:
        check_template(field, case["path"])


@pytest.mark.parametrize("case", vectors("run_length"), ids=lambda case: case["text"] or "empty")
def test_run_length(case: Json) -> None:
    body = copy.deepcopy(OUTCOMES["valid"][0]["message"])
    body["codes"] = case["text"]
    body["legend"] = {letter: f"Skipped/Reason{chr(65 + n)}" for n, letter in enumerate("SNC-")}
    body |= {"rows": dict.fromkeys(body["rows"], 0), "anomalies": 0}
    read = parse_message(json.dumps(body), expected(len(case["letters"])))
    meant = {f"Reason{chr(65 + n)}": letter for n, letter in enumerate("SNC-")}
    assert "".join(meant[reason] for _, reason in read.sensors()) == case["letters"]


@by_name(OUTCOMES["valid"])
def test_outcomes_are_read(case: Json) -> None:
    text = json.dumps(case["message"]) + case.get("trailing", "")
    read = parse_message(text, expected(case["size"]))
    assert [state for state, _ in read.sensors()] == case["states"]
    assert [reason for _, reason in read.sensors()] == case["reasons"]
    assert read.in_hand == case["message"].get("inHand", "")
    assert dict(read.stages_ms) == case["message"]["stagesMs"]
    assert read.rows.read == case["message"]["rows"]["read"]
    if "names" in case:
        assert {str(place): name for place, name in read.names.items()} == case["names"]


@by_name(OUTCOMES["refused"])
def test_outcomes_refused(case: Json) -> None:
    text = case.get("text")
    if text is None:
        text = json.dumps(OUTCOMES["valid"][0]["message"] | case["change"])
    with pytest.raises(ContractError) as refused:
        parse_message(text, expected(1))
    assert case["names"] in str(refused.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=10,
)


def refused_or_sound(text: str, size: int) -> None:
    try:
        read = parse_message(text, expected(size))
    except ContractError:
        return
    assert len(list(read.sensors())) == size
    assert read.rows.read == read.rows.scored + read.rows.rejected + read.rows.duplicate
    assert read.anomalies <= read.rows.scored


@given(
    st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
)
def test_any_text_is_refused_or_sound(text: str) -> None:
    refused_or_sound(text, 1)


@given(st.sampled_from(sorted(OUTCOMES["valid"][1]["message"])), JSON)
def test_any_value_in_any_field_is_refused_or_sound(key: str, value: Any) -> None:
    refused_or_sound(json.dumps(OUTCOMES["valid"][1]["message"] | {key: value}), 8)


@given(st.data())
def test_any_bytes_changed_are_refused_or_sound(data: st.DataObject) -> None:
    text = json.dumps(OUTCOMES["valid"][1]["message"])
    place = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 20))
    refused_or_sound(text[:place] + data.draw(st.text(max_size=10)) + text[place + cut :], 8)


@pytest.mark.parametrize(
    "text",
    [
        "[" * (MESSAGE_LIMIT - 1),
        '{"a":' * 800,
        " " * 5000,
        '{"v": 1' + "0" * 4000 + "}",
        json.dumps(OUTCOMES["valid"][0]["message"] | {"anomalies": float("nan")}),
        json.dumps(OUTCOMES["valid"][0]["message"] | {"attempt": "x" * 4096}),
    ],
    ids=["deep list", "deep object", "too long", "huge number", "NaN", "long text"],
)
def test_bombs_are_refused(text: str) -> None:
    with pytest.raises(ContractError):
        parse_message(text, expected(1))


def test_words_of_a_pod_cannot_break_a_line_or_a_status() -> None:
    failure = {"sensor": "device-1-tag-1", "reason": "X", "message": "a\nb\x1b[31m\u202e" + "é" * 300}
    body = OUTCOMES["valid"][0]["message"] | {"failures": [failure]}
    said = parse_message(json.dumps(body), expected(1)).sentences["device-1-tag-1"]
    assert said.isprintable()
    assert len(said.encode()) <= 256


# Work orders


def run_of(work: Json) -> Run:
    """The ScoringRun that such an order is made of."""
    names = {"onMissingReadings": work["onMissingReadings"], "onMissingModel": work["onMissingModel"]}
    seconds = work["perAttemptSeconds"]
    model = {key: value for key, value in work["model"].items() if key != "at"}
    some: Json = {"table": {"path": "fleet.csv"}, "only": {"path": "changed.csv"}}
    if "rest" in work:
        some = {"failedOf": {"name": "first", "uid": work["rest"]}}
    body = run_body(
        **({"sensors": some} if work.get("part") else {}),
        window=work["window"],
        model=model,
        readings=work["readings"],
        output=work["output"],
        failurePolicy=names,
        timeouts={"perAttemptSeconds": seconds, "publishSeconds": seconds},
    )
    run = work["run"]
    body["metadata"] |= {name: run[name] for name in ("name", "namespace", "uid")}
    body["metadata"]["creationTimestamp"] = run["created"]
    at = work["model"].get("at")
    return replace(parse_run(body), status=Status(models_as_of=parse_time(at) if at else None))


@by_name(ORDERS["valid"])
def test_work_orders_are_made_of_runs(case: Json) -> None:
    work = case["work"]
    run, where = run_of(work), work["store"]
    store = Store("x", where["url"], where.get("endpoint", ""), where.get("allowHttp", False))
    told = work["sensors"]
    names = tuple(told.get("names") or (f"s{number}" for number in range(told["count"])))
    stored = StoredSensors(100_000, told["sha256"]) if "store" in told else None
    if work.get("stage") == "Publish":
        order = publish_order(run, spec_of(run), store, stored or SensorSet.of(names), work["incarnation"])
    else:
        chunk = Chunk(work["chunk"], told.get("from", 0), names)
        if stored:
            chunk = Chunk(work["chunk"], told["from"], (), stored, told["count"])
        order = work_order(run, spec_of(run), store, chunk, work["incarnation"])
    assert order == work


def about_the_spec(case: Json) -> bool:
    """Whether what is wrong with an order could be wrong with a spec, beyond the schema's enumerations."""
    enumerated = ("unknown format", "unknown column setting")
    fields = case.get("change", {}).keys() & {"model", "readings", "output"}
    return bool(fields) and "at" not in case["change"].get("model", {}) and case["name"] not in enumerated


@by_name([case for case in ORDERS["refused"] if about_the_spec(case)])
def test_specs_that_would_make_refused_orders_are_refused(case: Json) -> None:
    spec = run_body()["spec"]
    changed = {name: spec[name] | part for name, part in case["change"].items() if name in NESTED}
    if case["change"].get("output", {}).get("layout") == "Sharded" and case["name"] == "shards as CSV":
        return  # the schema's alone: the operator passes the format through
    with pytest.raises(ContractError) as refused:
        parse_spec(spec | changed)
    assert case["names"].removesuffix(".version") in str(refused.value)


@pytest.mark.parametrize("case", vectors("shards"), ids=lambda case: f"{case['sensor']}-{case['shards']}")
def test_shards(case: Json) -> None:
    assert shard_of(case["sensor"], case["shards"]) == case["shard"]


@pytest.mark.parametrize("per_job", [1, 100, 500])
@pytest.mark.parametrize("store", ["default", "theirs"])
def test_a_rendered_job_is_understood_by_the_scorer(per_job: int, store: str) -> None:
    listed = sensors(*(f"s{number}" for number in range(1200)))
    run = a_run(sensorsPerJob=per_job)
    job = scoring_job(run, spec_of(run), means(store), chunks_of(listed, spec_of(run))[1], 2)
    arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert arguments[:2] == ["run", "--work"]
    order = parse_work_order(arguments[2])
    assert (order.chunk, order.incarnation) == (1, 2)
    assert order.run.uid == run.uid


# Preparing


@by_name(PREPARING["orders"])
def test_preparing_orders_are_made_of_runs(case: Json) -> None:
    run = a_run(**case["spec"])
    left = Left(**case["left"], decisions={}) if "left" in case else None
    source = InStore(left) if case["spec"].get("sensors") else None
    until = NOW + timedelta(seconds=900) if "waitFor" in case["work"] else None
    wanted = preparation(spec_of(run), source, until)
    order = prepare_order(run, spec_of(run), means().store, wanted, 0)
    fields = ("stage", "resolve", "only", "waitFor", "perAttemptSeconds", "sensors", "decisions")
    assert {field: order[field] for field in fields if field in order} == case["work"]
    assert parse_work_order(json.dumps(order)).stage == "Prepare"


@pytest.mark.parametrize("case", PREPARING["markers"], ids=lambda case: case["readings"])
def test_default_markers(case: Json) -> None:
    assert default_marker(case["readings"]) == case["marker"]


@by_name(PREPARING["messages"])
def test_what_a_preparing_pod_says_is_read(case: Json) -> None:
    said = case["message"]
    read = parse_prepared(json.dumps(said), said["run"], said["incarnation"])
    assert read.total_ms == said["stagesMs"]["total"]
    if "failure" in said:
        assert (read.finished, read.sensors) == (False, None)
        assert read.failure == f"{said['failure']['reason']}: {said['failure']['message']}"
        return
    assert (read.finished, read.waited or None) == (True, said["readings"])
    if said["sensors"] is None:
        assert read.sensors is None
    else:
        assert read.sensors is not None
        assert (read.sensors.total, list(read.sensors.shards)) == (
            said["sensors"]["total"],
            said["sensors"]["shards"],
        )


@by_name(PREPARING["messages_refused"])
def test_what_a_preparing_pod_must_not_say_is_refused(case: Json) -> None:
    said = PREPARING["messages"][0]["message"]
    text = json.dumps({key: value for key, value in (said | case["change"]).items() if value != "remove"})
    with pytest.raises(ContractError) as refused:
        parse_prepared(text, said["run"], said["incarnation"])
    assert case["names"] in str(refused.value)


@given(st.sampled_from(sorted(PREPARING["messages"][0]["message"])), JSON)
def test_any_value_in_any_field_of_a_preparing_message_is_refused_or_sound(key: str, value: Any) -> None:
    said = PREPARING["messages"][0]["message"]
    with contextlib.suppress(ContractError):
        sound(parse_prepared(json.dumps(said | {key: value}), said["run"], said["incarnation"]))


@given(st.data())
def test_any_bytes_of_a_preparing_message_changed_are_refused_or_sound(data: st.DataObject) -> None:
    said = PREPARING["messages"][0]["message"]
    text = json.dumps(said)
    place, cut = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 20))
    with contextlib.suppress(ContractError):
        changed = text[:place] + data.draw(st.text(max_size=10)) + text[place + cut :]
        sound(parse_prepared(changed, said["run"], said["incarnation"]))


def sound(read: PrepareMessage) -> None:
    """The run could be divided by it, and its status written."""
    if read.sensors is not None:
        assert 0 <= read.sensors.total <= 100_000
        assert len(read.sensors.shards) <= 512
        assert not read.sensors.shards or sum(read.sensors.shards) == read.sensors.total


# Publishing


@by_name(PUBLISHING["decisions"])
def test_decisions_are_made_of_a_status(case: Json) -> None:
    wanted = case["decisions"]
    listed = sensors(*(f"s{number}" for number in range(wanted["total"])))
    undecided = set(RangeSet.parse(wanted["undecided"]))
    status = publishing(
        listed,
        Verdict("Complete" if wanted["complete"] else "Failed", wanted["reason"], ""),
        done=RangeSet.of(set(range(wanted["total"])) - undecided),
        failed_sensors=RangeSet.parse(wanted["failed"]),
        failures=tuple(
            Failure(each["sensor"], 3, each["state"], each["reason"], each["message"], "job")
            for each in wanted["failures"]
        ),
    )
    assert decisions(status, chunks_of(listed, spec_of(a_run()))) == wanted


@given(st.sets(st.integers(0, 99)), st.sets(st.integers(0, 99)))
def test_the_scorer_understands_what_is_pinned(done: set[int], failed: set[int]) -> None:
    listed = sensors(*(f"s{number}" for number in range(100)))
    status = publishing(
        listed,
        Verdict("Failed", "DeadlineExceeded", ""),
        done=RangeSet.of(done),
        failed_sensors=RangeSet.of(failed & done),
        failures=(Failure("s1", 1, "Failed", "OutOfMemory", "pod x", "job"),),
    )
    body = decisions_config_map(a_run(), decisions(status, chunks_of(listed, spec_of(a_run()))))
    read = parse_decisions(body["data"]["decisions.json"])
    assert (read.total, read.complete, read.reason) == (100, False, "DeadlineExceeded")
    assert (read.failed, read.undecided) == (failed & done, set(range(100)) - done)
    assert read.failures["s1"].reason == "OutOfMemory"


@by_name(PUBLISHING["messages"])
def test_what_a_publishing_pod_says_is_read(case: Json) -> None:
    said = case["message"]
    read = parse_published(json.dumps(said), said["run"], said["incarnation"])
    assert read.total_ms == said["stagesMs"]["total"]
    if "failure" in said:
        assert (read.published, read.guard) == (None, None)
        assert read.failure == f"{said['failure']['reason']}: {said['failure']['message']}"
        return
    assert read.published is not None
    assert read.guard is not None
    assert (read.published.manifest, read.published.sha256) == tuple(said["manifest"].values())
    assert (read.published.success or None, read.published.anomalies) == (said["success"], said["anomalies"])
    assert (read.guard.warnings, read.guard.notes) == (said["warnings"], said["notes"])
    assert [each.sensor for each in read.guard.samples] == [each["sensor"] for each in said["samples"]]
    assert read.sinks == {name: Sent(**told) for name, told in said.get("sinks", {}).items()}


@by_name(PUBLISHING["messages_refused"])
def test_what_a_publishing_pod_must_not_say_is_refused(case: Json) -> None:
    said = PUBLISHING["messages"][0]["message"]
    text = json.dumps({key: value for key, value in (said | case["change"]).items() if value != "remove"})
    with pytest.raises(ContractError) as refused:
        parse_published(text, said["run"], said["incarnation"])
    assert case["names"] in str(refused.value)


@given(st.sampled_from(sorted(PUBLISHING["messages"][0]["message"])), JSON)
def test_any_value_in_any_field_of_it_is_refused_or_sound(key: str, value: Any) -> None:
    said = PUBLISHING["messages"][0]["message"]
    try:
        read = parse_published(json.dumps(said | {key: value}), said["run"], said["incarnation"])
    except ContractError:
        return
    assert read.published is None or len(read.published.manifest) <= 1024
    assert read.guard is None or len(read.guard.samples) <= 10


@given(st.data())
def test_any_bytes_of_it_changed_are_refused_or_sound(data: st.DataObject) -> None:
    said = PUBLISHING["messages"][0]["message"]
    text = json.dumps(said)
    place, cut = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 20))
    with contextlib.suppress(ContractError):
        changed = text[:place] + data.draw(st.text(max_size=10)) + text[place + cut :]
        parse_published(changed, said["run"], said["incarnation"])


KINDS = st.sampled_from(["Scored", "Skipped/NoReadings", "Failed/ModelCorrupt", "Undecided/NotStarted"])


@given(st.lists(KINDS, min_size=1, max_size=1000))
def test_what_the_scorer_writes_is_read(kinds: list[str]) -> None:
    letters = Letters()
    codes = "".join(letters.of(kind) for kind in kinds)
    failures = [(f"s{n}", kind.partition("/")[2], f"sensor s{n}: it is ü") for n, kind in enumerate(kinds)]
    text = encode_message(
        Header(run="uid", chunk=3, incarnation=1, attempt="2026-01-01T13:00:09.123Z"),
        codes,
        letters.legend(codes),
        final=True,
        rows=Rows(10, 7, 2, 1),
        anomalies=5,
        stages_ms={"import": 152, "read": 12, "score": 3, "write": 14, "total": 190},
        failures=[failure for failure in failures if failure[1]],
        in_hand="s0",
    )
    read = parse_message(text.decode(), Expected("uid", 3, 1, len(kinds)))
    assert [f"{state}/{reason}".rstrip("/") for state, reason in read.sensors()] == kinds
    assert (read.rows.read, read.anomalies, read.in_hand) == (10, 5, "s0")
    assert all(said.endswith("it is ü") for said in read.sentences.values())
