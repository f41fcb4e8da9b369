"""`scorer train`: a model for each sensor from its readings, compiled, proved equal, registered."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from scorer.commands.arguments import (
    add_model,
    add_readings,
    add_sensors,
    add_store,
    add_window,
    readings_of,
    sensors_of,
    store_of,
    window_of,
)
from scorer.commands.jobs import add_jobs, address_of, jobs_of, store_at
from scorer.commands.results import tell
from scorer.contract.paths import check_model_path
from scorer.contract.work import StoreAddress
from scorer.errors import InputError
from scorer.fit.estimators import ESTIMATORS, Estimator, check_estimator
from scorer.fit.settings import Settings
from scorer.window import Window

if TYPE_CHECKING:
    from scorer.commands import Subparsers
    from scorer.fit.parallel import Steps


def add(subparsers: Subparsers) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("train", help="train and register a model for each sensor")
    add_store(parser)
    add_window(parser, "readings to train on")
    add_sensors(parser)
    _add_estimator(parser)
    parser.add_argument(
        "--features",
        default="value",
        metavar="NAMES",
        help="columns with commas between (default: %(default)s)",
    )
    add_readings(parser)
    add_model(parser)
    add_jobs(parser)
    parser.set_defaults(command=_train)


def _add_estimator(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--estimator",
        default=ESTIMATORS[0],
        metavar="NAME",
        help=f"{', '.join(ESTIMATORS)} (default: %(default)s)",
    )
    parser.add_argument(
        "--nu",
        type=_number,
        default=0.01,
        help="share of the readings that may lie outside: nu of the SVMs, contamination of the others "
        "(default: %(default)s)",
    )
    parser.add_argument("--kernel", metavar="NAME", help="rbf (default), linear, poly or sigmoid")
    parser.add_argument(
        "--gamma", type=_gamma, help="the kernel's width: scale (default), auto or a number; less is wider"
    )
    parser.add_argument("--tol", type=_number, help="the solver's tolerance (default: 1e-06)")


def _gamma(text: str) -> float | str:
    return text if text in ("scale", "auto") else _number(text, "scale, auto or a number")


def _number(text: str, wanted: str = "a number") -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"found {text!r}; wanted {wanted}") from None


def _train(options: argparse.Namespace) -> int:
    from scorer.fit.parallel import run

    how, window = _settings(options), window_of(options)
    sensors = sensors_of(options, store_of(options), how.readings.path, window)
    make = partial(training, address_of(options), window, how)
    jobs = jobs_of(options, len(sensors))
    return tell("trained", run(make, sensors, jobs), len(sensors), options.results)


def training(address: StoreAddress, window: Window, how: Settings) -> Steps:
    """What a process needs to train: it loads scikit-learn."""
    from scorer.fit.train import Training

    return Training(store_at(address), window, how)


def _settings(options: argparse.Namespace) -> Settings:
    estimator = Estimator(options.estimator, options.nu, options.kernel, options.gamma, options.tol)
    check_estimator(estimator)
    return Settings(
        estimator=estimator,
        features=features_of(options.features),
        readings=readings_of(options),
        models=check_model_path(options.model),
        refuse_degenerate=options.refuse_degenerate,
    )


def features_of(text: str) -> tuple[str, ...]:
    """Names with commas between. Raises InputError."""
    from scorer.model.file import OUTPUT_COLUMNS

    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(set(names)) != len(names):
        raise InputError(f"--features is {text!r}: wanted different names with commas between")
    if taken := OUTPUT_COLUMNS & set(names):
        raise InputError(f"--features holds {min(taken)!r}: predictions have a column of that name")
    return names
