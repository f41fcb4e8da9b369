"""What a spec means: defaults that depend on one another, and refusals that name the field."""

import pytest

from scoring_operator.contract import Columns, ContractError, ModelSource, Output, ReadingsSource
from scoring_operator.spec import Template, Timeouts, parse_spec
from unit.operator.given import Json, a_run, run_body, spec_of


@pytest.mark.parametrize(
    ("output", "meant"),
    [
        ({}, Output("predictions/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet")),
        ({"layout": "Sharded"}, Output("predictions/{yyyy}/{MM}/{dd}/{HH}/part-{shard}.parquet", shards=1)),
        ({"layout": "Sharded", "shards": 16, "path": "p/{shard}"}, Output("p/{shard}", shards=16)),
        ({"path": "p/{sensor}.csv", "format": "CSV"}, Output("p/{sensor}.csv", "CSV")),
    ],
)
def test_where_predictions_go_depends_on_the_layout(output: Json, meant: Output) -> None:
    assert spec_of(a_run(output=output)).output == meant


def test_readings_and_models_are_passed_on() -> None:
    columns = {"time": "TS", "sensor": "Tag", "features": {"value": "Value"}}
    readings = {
        "path": "r/{HH}/*.csv.gz",
        "format": "CSV",
        "layout": "asa",
        "columns": columns,
        "timeZone": "Europe/Berlin",
        "ambiguousTimes": "Later",
    }
    spec = spec_of(a_run(readings=readings, model={"version": "v1"}))
    named = Columns("TS", "Tag", {"value": "Value"})
    wanted = ReadingsSource("r/{HH}/*.csv.gz", "CSV", "asa", named, "Europe/Berlin", "Later")
    assert (spec.readings, spec.model) == (wanted, ModelSource("models/{sensor}", "v1"))


CAPTURED = "{PartitionId}/{Year}/{Month}/{Day}/{Hour}/{Minute}/{Second}"


@pytest.mark.parametrize("marker", ["", "done/{yyyy}/{MM}/{dd}/{HH}"])
def test_files_of_capture_are_their_own_marker_if_there_is_no_other(marker: str) -> None:
    wait_for = {"timeoutSeconds": 60} | ({"marker": marker} if marker else {})
    readings = {"path": CAPTURED, "layout": "capture", "lateSeconds": 60, "waitFor": wait_for}
    spec = spec_of(a_run(readings=readings))
    assert spec.readings == ReadingsSource(CAPTURED, layout="capture", late_seconds=60)
    assert spec.wait_for
    assert spec.wait_for.marker == (marker or CAPTURED)


def test_a_spec_that_was_stored_before_these_fields_were_there_has_their_defaults() -> None:
    body = run_body()["spec"]
    body |= {
        "model": {"path": "m/{sensor}"},
        "readings": {"path": "r/{sensor}"},
        "output": {"path": "p/{sensor}"},
    }
    body |= {"timeouts": {"perAttemptSeconds": 300}}
    del body["concurrencyPolicy"], body["failurePolicy"]["onExceeded"]
    spec = parse_spec(body)
    assert spec.timeouts == Timeouts(300, 600, None, None)
    assert (spec.concurrency.policy, spec.failures.on_exceeded) == ("Allow", "Continue")
    assert (spec.model.version, spec.template) == ("Current", Template())
    assert (spec.failures.max_skipped, spec.readings) == (None, ReadingsSource("r/{sensor}"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"model": {"path": "m/{sensor}/*"}},
            "model.path 'm/{sensor}/*' holds *; wanted the name of one place",
        ),
        ({"model": {"path": "m/{sensor}", "version": "../x"}}, "model.version is '../x'; wanted letters"),
        ({"readings": {"path": "r/*/x.csv"}}, "readings.path 'r/*/x.csv' holds * in a folder or twice"),
        (
            {"readings": {"path": "r/{dd}.csv", "layout": "asa"}},
            "readings.layout is asa; wanted a readings.path",
        ),
        (
            {"readings": {"path": "r/{sensor}", "lateSeconds": 1}},
            "readings.lateSeconds is there; wanted it only",
        ),
        ({"readings": {"path": CAPTURED, "layout": "capture", "format": "Parquet"}}, "readings.format is"),
        ({"readings": {"path": CAPTURED[:-9], "layout": "capture"}}, "has no {Second}"),
        ({"output": {"path": "p/{sensor}", "layout": "Sharded"}}, "holds {sensor}; wanted only {HH}"),
        ({"output": {"path": "p", "layout": "Sharded"}}, "has no {shard}; wanted a path of each shard's own"),
        ({"output": {"path": "p/{sensor}", "shards": 2}}, "output.shards is there; wanted it only with"),
        ({"output": {"layout": "Sharded", "shards": 513}}, "output.shards is 513; wanted 1 to 512"),
    ],
)
def test_what_got_round_the_schema_is_refused_by_field(change: Json, words: str) -> None:
    with pytest.raises(ContractError) as refused:
        parse_spec(run_body()["spec"] | change)
    assert words in str(refused.value)
