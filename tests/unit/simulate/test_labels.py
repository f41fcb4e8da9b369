"""The file of labels: read back as written, and exchanged with the report's own form."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scorer.errors import InputError
from scorer.report.load import read_faults
from scorer.simulate.labels import Label, Labels, read_labels, write_labels
from unit.simulate.given import made, readings_of

NOON = 1_772_366_400_000_000
LABEL = Label("a", "spike", NOON, NOON + 60_000_000, np.array([NOON + 1, NOON + 2_500_000]))


def told(labels: Labels) -> list[object]:
    faults = [(*label[:4], label.times.tolist()) for label in labels.faults]
    return [faults, labels.sensors, labels.period]


def test_it_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    simulated = made()
    readings_of(simulated)
    written, file = simulated.labels(), tmp_path / "new" / "labels.json"
    write_labels(file, written, {"seed": 7}, lambda times: times)
    assert told(read_labels(file)) == told(written)
    assert json.loads(file.read_text())["seed"] == 7


def test_the_report_reads_it_too(tmp_path: Path) -> None:
    file = tmp_path / "labels.json"
    write_labels(file, Labels([LABEL], frozenset("a"), (NOON, NOON + 1)), {}, lambda times: times)
    (fault,) = read_faults(file)
    assert (fault.sensor, fault.kind) == ("a", "spike")
    assert fault.times.astype(np.int64).tolist() == LABEL.times.tolist()


def test_the_demos_record_of_faults_is_read_too(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    times = ["2026-03-01T12:00:05.000Z", "2026-03-01T12:00:01.000Z"]
    file.write_text(json.dumps({"faults": [{"sensor": "a", "kind": "spikes up", "times": times}]}))
    labels = read_labels(file)
    assert (labels.sensors, labels.period) == (None, None)
    (label,) = labels.faults
    assert label.times.tolist() == [NOON + 1_000_000, NOON + 5_000_000]
    assert label.start < label.times[0]
    assert label.end == label.times[1]


def test_times_are_written_by_the_clock_that_is_given(tmp_path: Path) -> None:
    file = tmp_path / "labels.json"
    write_labels(file, Labels([LABEL], None, (NOON, NOON + 10)), {}, lambda times: times + 1_000_000)
    read = read_labels(file)
    assert read.faults[0].times.tolist() == (LABEL.times + 1_000_000).tolist()
    assert read.period == (NOON + 1_000_000, NOON + 1_000_010)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"faults": 3}',
        '{"faults": [{}]}',
        '{"faults": [{"sensor": "a", "kind": "b", "times": []}]}',
        '{"faults": [{"sensor": "a", "kind": "b", "times": ["noon"]}]}',
        '{"faults": [{"sensor": "a", "kind": "b", "times": ["2026-03-01T12:00:00"]}]}',
        '{"faults": [{"sensor": 1, "kind": "b", "times": ["2026-03-01T12:00:00Z"]}]}',
        '{"faults": [], "sensors": 3}',
        '{"faults": [], "start": "2026-03-01T12:00:00Z"}',
    ],
)
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "labels.json"
    file.write_text(text)
    with pytest.raises(InputError, match=r"labels\.json is not"):
        read_labels(file)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_labels(tmp_path / "labels.json")
    with pytest.raises(InputError, match="cannot be written"):
        write_labels(tmp_path, Labels([]), {}, lambda times: times)
