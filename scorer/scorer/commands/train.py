"""`scorer train`: a model for each sensor from its readings, compiled, proved equal, registered."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from scorer.commands.arguments import (
    MODEL_TEMPLATE,
    READINGS_TEMPLATE,
    add_sensors,
    add_store,
    add_window,
    sensors_of,
    store_of,
    window_of,
)
from scorer.commands.console import complain, say, table
from scorer.errors import InputError

if TYPE_CHECKING:
    from scorer.commands import Subparsers


def add(subparsers: Subparsers) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("train", help="train and register a model for each sensor")
    add_store(parser)
    add_window(parser, "readings to train on")
    add_sensors(parser)
    parser.add_argument(
        "--nu",
        type=_number,
        default=0.01,
        help="share of the readings that may lie outside (default: %(default)s)",
    )
    parser.add_argument(
        "--gamma", type=_gamma, default="scale", help="scale, auto or a number (default: %(default)s)"
    )
    parser.add_argument(
        "--features",
        default="value",
        metavar="NAMES",
        help="columns with commas between (default: %(default)s)",
    )
    parser.add_argument("--readings", default=READINGS_TEMPLATE, metavar="PATH", help="default: %(default)s")
    parser.add_argument("--model", default=MODEL_TEMPLATE, metavar="PATH", help="default: %(default)s")
    parser.set_defaults(command=_train)


def _gamma(text: str) -> float | str:
    return text if text in ("scale", "auto") else _number(text, "scale, auto or a number")


def _number(text: str, wanted: str = "a number") -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"found {text!r}; wanted {wanted}") from None


def _train(options: argparse.Namespace) -> int:
    from scorer.contract.outcome import SensorError
    from scorer.contract.paths import check_model_path, check_readings_path
    from scorer.fit.train import Settings, check_settings, train

    how = Settings(
        nu=options.nu,
        gamma=options.gamma,
        features=tuple(options.features.split(",")),
        readings=check_readings_path(options.readings),
        models=check_model_path(options.model),
    )
    check_settings(how)
    store, window = store_of(options), window_of(options)
    rows: list[tuple[object, ...]] = []
    failed = 0
    for sensor in sensors_of(options, store, how.readings, window):
        try:
            trained = train(store, sensor, window, how)
        except (SensorError, InputError) as error:
            failed += 1
            complain(f"scorer: {error}")
            continue
        for warning in trained.warnings:
            complain(f"scorer: warning: sensor {sensor}: {warning}")
        state = "new" if trained.registered.changed else "as before"
        flagged = f"{trained.flagged:.1%}"
        rows.append((sensor, trained.rows, trained.vectors, flagged, trained.registered.version, state))
    say(table(("SENSOR", "ROWS", "VECTORS", "FLAGGED", "VERSION", "CURRENT"), rows))
    return 1 if failed else 0
