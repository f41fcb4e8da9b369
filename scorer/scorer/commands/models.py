"""`scorer models list`, `show`, `verify` and `rollback`: what is registered, and which version counts."""

from __future__ import annotations

import argparse
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from scorer.commands.arguments import (
    add_model,
    add_readings,
    add_store,
    named,
    readings_of,
    sensor_name,
    store_of,
    window_of,
)
from scorer.commands.console import complain, say, table
from scorer.contract.exits import Exit
from scorer.contract.outcome import SensorError
from scorer.contract.paths import check_model_path
from scorer.errors import InputError
from scorer.storage import Store
from scorer.window import utc_text

if TYPE_CHECKING:
    from scorer.commands import Subparsers


def add(subparsers: Subparsers) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("models", help="show what is registered, verify it, roll back")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="sensors with their versions and how often each model flags")
    showing = actions.add_parser("show", help="one sensor's model: its limits, training, proof, versions")
    showing.add_argument("sensor")
    showing.add_argument("--version", metavar="ID", help="default: the one in use")
    verifying = actions.add_parser(
        "verify",
        help="read every version's file again: digest, form, and which one counts",
        description="Proves that every version's file is the one that was registered, can be used, and that "
        "current.json leads to one. That a model equals scikit-learn was proved when it was registered: that "
        "takes the estimator, which is not kept.",
    )
    verifying.add_argument(
        "--window", metavar="START/END", help="score these readings too, and show how many are flagged"
    )
    add_readings(verifying)
    back = actions.add_parser("rollback", help="withdraw the version in use, for the one before it")
    back.add_argument("sensor", nargs="+")
    back.add_argument("--to", metavar="VERSION", help="default: what was in use before")
    for action in (listing, verifying):
        action.add_argument(
            "--sensors", metavar="NAMES", help="names or patterns like device-1-*, with commas; or @FILE"
        )
    for action, command in ((listing, _list), (showing, _show), (verifying, _verify), (back, _rollback)):
        add_store(action)
        add_model(action)
        action.set_defaults(command=command)


def _list(options: argparse.Namespace) -> int:
    from scorer.fit.catalogue import each

    store, template = store_of(options), check_model_path(options.model)
    found = _chosen(store, template, options.sensors)
    if not found:
        say(f"no models at {template} of {options.store}")
        return 0
    rows = each(lambda sensor: _listed(store, template, sensor, len(found[sensor])), found)
    say(table(("SENSOR", "CURRENT", "VERSIONS", "TRAINED", "ROWS", "FLAGGED"), rows))
    return 0


def _listed(store: Store, template: str, sensor: str, there: int) -> tuple[object, ...]:
    """A sensor's line. `there` counts the versions in the store."""
    from scorer.fit.catalogue import history, metadata

    try:
        known = history(store, template, sensor)
        current = known.in_use()
    except InputError:
        return sensor, "none", there, "", "", ""
    except SensorError as error:
        complain(f"scorer: sensor {sensor}: {error}")
        return sensor, "unreadable", there, "", "", ""
    if current is None:
        return sensor, "none", there, "", "", ""
    told = metadata(store, template, sensor, current.version).get("training", {})
    training = told if isinstance(told, dict) else {}
    flagged = training.get("flagged")
    share = f"{flagged:.1%}" if isinstance(flagged, int | float) else ""
    return sensor, current.version, there, utc_text(current.valid_from), training.get("rows", ""), share


def _show(options: argparse.Namespace) -> int:
    from scorer.commands.models_show import show

    sensor = sensor_name(options.sensor, "SENSOR is")
    return show(store_of(options), check_model_path(options.model), sensor, options.version)


def _verify(options: argparse.Namespace) -> int:
    from scorer.commands.models_verify import rescore, verify

    store, template = store_of(options), check_model_path(options.model)
    window = window_of(options) if options.window else None
    readings = readings_of(options)
    found = _chosen(store, template, options.sensors)
    if not found:
        raise InputError(f"no models at {template} of {options.store}")
    wrong = verify(store, template, found)
    if window:
        wrong += rescore(store, template, found, window, readings)
    return int(Exit.PARTIAL if wrong else Exit.OK)


def _rollback(options: argparse.Namespace) -> int:
    from scorer.fit.register import roll_back

    for sensor in options.sensor:
        sensor_name(sensor, "SENSOR is")
    if options.to is not None and len(options.sensor) > 1:
        raise InputError(f"--to is of one sensor: found {len(options.sensor)}")
    store, template = store_of(options), check_model_path(options.model)
    failed = 0
    for sensor in options.sensor:
        try:
            done = roll_back(store, sensor, options.to, template)
        except (InputError, SensorError) as error:
            failed += 1
            complain(f"scorer: {error}")
            continue
        if done.left == done.became:
            say(f"sensor {sensor}: version {done.became} is in use already: nothing changed")
        else:
            say(f"sensor {sensor}: version {done.left} is withdrawn, {done.became} is in use now")
    return int(Exit.PARTIAL if failed else Exit.OK)


def _chosen(store: Store, template: str, wanted: str | None) -> dict[str, list[str]]:
    """Sensors with their versions in the store. Raises InputError for a name or pattern that fits none."""
    from scorer.fit.catalogue import sensors

    found = sensors(store, template)
    if wanted is None:
        return found
    chosen: set[str] = set()
    for pattern in named(wanted):
        fitting = {sensor for sensor in found if fnmatchcase(sensor, pattern)}
        if not fitting:
            raise InputError(f"--sensors: no registered sensor fits {pattern!r}")
        chosen |= fitting
    return {sensor: versions for sensor, versions in found.items() if sensor in chosen}
