"""`scorer register`: model files become versions of sensors' models; pickles too, if they are allowed."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scorer.commands.arguments import (
    add_model,
    add_readings,
    add_store,
    readings_of,
    sensor_name,
    store_of,
    window_of,
)
from scorer.commands.jobs import add_jobs, address_of, jobs_of, store_at
from scorer.commands.results import tell
from scorer.commands.train import features_of
from scorer.contract.paths import check_model_path
from scorer.contract.work import StoreAddress
from scorer.errors import InputError
from scorer.fit.settings import Accepted, Incoming, Settings

if TYPE_CHECKING:
    from scorer.commands import Subparsers
    from scorer.fit.parallel import Steps

ENDING = ".safetensors"
_SHA256 = re.compile("[0-9a-fA-F]{64}", re.ASCII)


def add(subparsers: Subparsers) -> None:
    """Registers the command."""
    parser = subparsers.add_parser(
        "register", help="register model files: compiled ones, and pickles if they are allowed"
    )
    parser.add_argument(
        "file",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="model.safetensors, as `scorer train` puts it into a store, or a folder of them",
    )
    parser.add_argument(
        "--sensor", metavar="NAME", help="whose model it is; default: what each file says itself"
    )
    add_store(parser)
    add_model(parser)
    pickles = parser.add_argument_group("pickle and joblib files of fitted scikit-learn estimators")
    pickles.add_argument(
        "--allow-pickle",
        action="store_true",
        help="load them here, which runs what is in them; a pod never does: it gets the compiled form",
    )
    pickles.add_argument("--sha256", metavar="DIGEST", help="of the one file, as `sha256sum` prints it")
    pickles.add_argument(
        "--digests",
        type=Path,
        metavar="LIST",
        help="of many: lines of `sha256  sensor  path`, in place of FILE",
    )
    pickles.add_argument(
        "--window", metavar="START/END", help="readings that the compiled form is proved equal on"
    )
    pickles.add_argument(
        "--features",
        metavar="NAMES",
        help="columns with commas between; default: those that it was fitted to",
    )
    add_jobs(parser)
    add_readings(parser)
    parser.set_defaults(command=_register)


def _register(options: argparse.Namespace) -> int:
    from scorer.fit.parallel import run

    items = _items(options)
    store_of(options)  # a wrong address is told before anything is loaded
    how = Settings(
        readings=readings_of(options),
        models=check_model_path(options.model),
        refuse_degenerate=options.refuse_degenerate,
    )
    features = features_of(options.features) if options.features else None
    window = window_of(options) if options.window else None
    accepted = Accepted(options.allow_pickle, window, features)
    make = partial(registering, address_of(options), how, accepted)
    return tell("registered", run(make, items, jobs_of(options, len(items))), len(items), options.results)


def registering(address: StoreAddress, how: Settings, accepted: Accepted) -> Steps:
    """What a process needs to register. It loads scikit-learn with the first pickle."""
    from scorer.fit.incoming import Registering

    return Registering(store_at(address), how, accepted)


def _items(options: argparse.Namespace) -> list[Incoming]:
    """The files to register. Raises InputError for what cannot be meant, before anything is done."""
    if options.allow_pickle and not (options.window and (options.sha256 or options.digests)):
        raise InputError(
            "--allow-pickle wants --window, the readings to prove the compiled form by, "
            "and --sha256 or --digests"
        )
    if options.digests:
        if options.file or options.sha256 or options.sensor:
            raise InputError("--digests names files, sensors and digests: give no FILE, --sensor or --sha256")
        return list(_listed(options.digests))
    files = [path for given in options.file for path in _files(given)]
    if not files:
        raise InputError("no file to register: name some, or a list of them with --digests")
    for option in ("sensor", "sha256"):
        if getattr(options, option) and len(files) > 1:
            raise InputError(f"--{option} is of one file: found {len(files)}, list them with --digests")
    if options.sensor is not None:
        sensor_name(options.sensor, "--sensor is")
    digest = _digest(options.sha256, "--sha256") if options.sha256 else None
    return [Incoming(path, options.sensor or "", digest) for path in files]


def _files(given: Path) -> list[Path]:
    if given.is_dir():
        found = sorted(given.rglob(f"*{ENDING}"))
        if not found:
            raise InputError(f"{given} holds no *{ENDING}")
        return found
    if not given.exists():
        raise InputError(f"{given} cannot be read: there is no such file")
    return [given]


def _listed(file: Path) -> Iterator[Incoming]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--digests: {file} cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"{file}, line {number}"
        parts = line.split(maxsplit=2)
        if len(parts) != 3:
            raise InputError(f"{where} has {len(parts)} parts: wanted `sha256  sensor  path`")
        digest, sensor, path = parts
        sensor_name(sensor, f"{where} has the sensor")
        yield Incoming(Path(path.strip()), sensor, _digest(digest, where))


def _digest(text: str, where: str) -> str:
    if not _SHA256.fullmatch(text):
        raise InputError(f"{where}: sha256 is {text[:80]!r}: wanted 64 hexadecimal digits")
    return text.lower()
