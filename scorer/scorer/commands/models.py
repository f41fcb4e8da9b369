"""`scorer models list` and `show`: what is registered."""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scorer.commands.arguments import MODEL_TEMPLATE, add_store, store_of
from scorer.commands.console import say, table
from scorer.contract.outcome import SensorError
from scorer.contract.paths import SENSOR_TOKEN, check_model_path, is_sensor_name, model_folder
from scorer.contract.work import ModelSource
from scorer.errors import InputError
from scorer.storage import NotFoundError, Store
from scorer.versions import CURRENT_FILE, MODEL_FILE, resolve
from scorer.window import Window

if TYPE_CHECKING:
    from scorer.commands import Subparsers


_EVER = Window(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def add(subparsers: Subparsers) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("models", help="show what is registered")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="every sensor with its versions")
    showing = actions.add_parser("show", help="one sensor's current model")
    showing.add_argument("sensor")
    for action, command in ((listing, _list), (showing, _show)):
        add_store(action)
        action.add_argument("--model", default=MODEL_TEMPLATE, metavar="PATH", help="default: %(default)s")
        action.set_defaults(command=command)


def _list(options: argparse.Namespace) -> int:
    store, template = store_of(options), check_model_path(options.model)
    rows = []
    for sensor, versions in sorted(_versions(store, template).items()):
        try:
            current = _current(store, template, sensor)
        except (NotFoundError, SensorError):
            current = "none"
        rows.append((sensor, current, len(versions)))
    say(
        table(("SENSOR", "CURRENT", "VERSIONS"), rows)
        if rows
        else f"no models at {template} of {options.store}"
    )
    return 0


def _show(options: argparse.Namespace) -> int:
    from scorer.model.file import read_model

    store, template = store_of(options), check_model_path(options.model)
    try:
        version = _current(store, template, options.sensor)
        data = store.get(f"{model_folder(template, options.sensor)}/{version}/{MODEL_FILE}").data
    except NotFoundError as error:
        raise InputError(f"sensor {options.sensor} has no model: {error}") from error
    model = read_model(data, version)
    say(f"sensor    {options.sensor}")
    say(f"version   {version}")
    say(f"sha256    {model.sha256}")
    for name, value in sorted(model.metadata.items()):
        say(f"{name:<9} {json.dumps(value, sort_keys=True)}")
    return 0


def _current(store: Store, template: str, sensor: str) -> str:
    path = f"{model_folder(template, sensor)}/{CURRENT_FILE}"
    found = resolve(store.get(path).data, path, ModelSource(template), _EVER)
    return found.name if found else "none"


def _versions(store: Store, template: str) -> dict[str, list[str]]:
    before, _, after = template.partition(SENSOR_TOKEN)
    rest = re.escape(after).replace(re.escape(SENSOR_TOKEN), r"\1")
    pattern = re.compile(f"{re.escape(before)}([^/]+){rest}/([^/]+)/{re.escape(MODEL_FILE)}")
    found: defaultdict[str, list[str]] = defaultdict(list)
    for entry in store.list(before.rpartition("/")[0]):
        match = pattern.fullmatch(entry.path)
        if match and is_sensor_name(match[1]):
            found[match[1]].append(match[2])
    return found
