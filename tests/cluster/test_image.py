"""What the images hold is enough: a pod's process, run in their file trees on a folder as its store.

Pods of the other tests read Parquet and score compiled models; here are the other ways.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import LocalOutlierFactor

from local import buildah, images
from local.commands import find
from local.errors import LocalError
from local.places import Places
from plugged import documented
from scorer.fit.plugin import package
from scorer.model.file import write_plugin_model
from scorer.storage import open_store
from scoring import START, model_bytes, put_model, values, work

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(find("buildah") is None, reason="buildah shows an image's file tree: not on PATH"),
]

BERLIN = "2026-01-01T{:02}:{:02}:00"  # an hour ahead of UTC
ROWS = [(BERLIN.format(13, minute), 10.0 if minute != 30 else 99.0) for minute in range(1, 60)]
FILES = {
    "CSV": "time,value\n" + "".join(f"{time},{value}\n" for time, value in ROWS),
    "JSONLines": "".join(json.dumps({"time": time, "value": value}) + "\n" for time, value in ROWS),
    "JSON": json.dumps([{"time": time, "value": value} for time, value in ROWS]),
}


def run_in(part: str, folder: Path, **changes: Any) -> list[dict[str, Any]]:
    """Runs a pod's process in a part's image; what it says of each sensor."""
    return scored_in(images.product(Places.here(), part).name, folder, **changes)


def scored_in(image: str, folder: Path, **changes: Any) -> list[dict[str, Any]]:
    """The same for an image that is there."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777)  # the image's user is another one
    order = work(["a"], store={"url": "file:///volume"}, **changes)
    command = ["python3", "-m", "scorer", "run", "--work", json.dumps(order)]
    buildah.run_in(Places.here(), image, command, folder)
    detail = next(folder.glob("runs/*/outcomes/*.json"))
    sensors: list[dict[str, Any]] = json.loads(detail.read_text())["sensors"]
    return sensors


@pytest.mark.parametrize("form", FILES)
def test_readings_as_text_in_a_time_zone_are_scored_in_the_image(form: str, tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}")
    put_model(store, "a", model_bytes())
    store.put("readings/2026/01/01/12/a.txt", FILES[form].encode())
    readings = {
        "path": "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.txt",
        "format": form,
        "timeZone": "Europe/Berlin",
    }
    (told,) = run_in("scorer", tmp_path, readings=readings)
    assert (told["state"], told["anomalies"], told["rows"]["scored"]) == ("Scored", 1, 59), told


def local_outlier_factor(folder: Path) -> None:
    """A store with a model that has no compiled form, and an hour of readings."""
    store = open_store(f"file://{folder}")
    training = np.random.default_rng(1).normal(10, 1, (200, 1))
    made = package(LocalOutlierFactor(novelty=True).fit(training), training)
    data = write_plugin_model(made.name, made.payload, ["value"], {}, made.scale, made.border_is_anomaly)
    put_model(store, "a", data)
    store.put("readings/2026/01/01/12/a.csv", FILES["CSV"].encode())


READINGS = {"path": "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.csv", "timeZone": "Europe/Berlin"}


def test_a_model_without_a_compiled_form_is_scored_in_the_image_with_scikit_learn(tmp_path: Path) -> None:
    local_outlier_factor(tmp_path)
    (told,) = run_in("scorer-sklearn", tmp_path, readings=READINGS)
    assert (told["state"], told["anomalies"], told["rows"]["scored"]) == ("Scored", 1, 59), told


def test_the_documented_image_of_a_package_of_one_s_own_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, folder = tmp_path / "context", tmp_path / "store"
    for path in (context, folder):
        path.mkdir()
    for name, source in documented("python").items():
        (context / name).write_text(source)
    (dockerfile,) = documented("dockerfile").values()
    (context / "Dockerfile").write_text(dockerfile)
    monkeypatch.syspath_prepend(context)
    register_band = importlib.import_module("register_band").register_band
    register_band(f"file://{folder}", "a", values(300)[:, None], f"2026-01-01T11:00:00Z/{START}")
    open_store(f"file://{folder}").put("readings/2026/01/01/12/a.csv", FILES["CSV"].encode())
    places = Places.here()
    images.product(places, "scorer")
    name = "localhost/sensorscore-documented-plugin:test"
    buildah.build(places, context / "Dockerfile", context, name)
    (told,) = scored_in(name, folder, readings=READINGS)
    assert (told["state"], told["anomalies"], told["rows"]["scored"]) == ("Scored", 1, 59), told


def test_the_image_without_scikit_learn_says_which_one_is_needed(tmp_path: Path) -> None:
    local_outlier_factor(tmp_path)
    with pytest.raises(LocalError, match=r"no package (sklearn|skops): name a runtime whose image has it"):
        run_in("scorer", tmp_path, readings=READINGS)
