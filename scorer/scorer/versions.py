"""Which version of a sensor's model counts for a run: what `current.json` says, read with the run's choice.

The file lists the sensor's registered versions and when each came into use, so that a run is answered for one
instant, whenever its pods ask:

    {"version": ..., "sha256": ..., "validFrom": ...,                    the version in use now
     "versions": [{"version", "sha256", "validFrom", "registered", "withdrawn", "withdrawals"}, ...],
     "switches": [{"at", "version"}, ...],                               in order: what came into use when
     "older": 3}                                                         versions that no longer fit the list

`withdrawn` is since when a version is rolled back, `withdrawals` are spans [from, until] in which it was. A
file of the first three keys alone is one version that has been in use for ever. Times are RFC 3339, UTC,
whole seconds rounded down: from the end of the second `at` on, the answer for `at` does not change any more.

Nothing of the file is believed: it is bounded, typed, and versions' names become parts of paths.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from scorer.contract.outcome import SensorError
from scorer.contract.paths import MAX_VERSION, model_folder
from scorer.contract.work import AS_OF_WINDOW_END, CURRENT, ModelSource
from scorer.storage import NotFoundError, Store, TooLargeError
from scorer.window import Window, utc_time

CURRENT_FILE = "current.json"
MODEL_FILE = "model.safetensors"
METADATA_FILE = "metadata.json"
MAX_CURRENT_BYTES = 64 * 1024
"""Of `current.json`: 200 versions and 128 switches."""
MAX_METADATA_BYTES = 1024 * 1024
MAX_MODEL_BYTES = 32 * 1024 * 1024
"""Of a model file: 380,000 support vectors of 10 features."""

EVER = datetime.min.replace(tzinfo=UTC)
_SHA256 = re.compile("[0-9a-f]{64}", re.ASCII)


class Version(NamedTuple):
    """A registered version: its name, and the digest of its file."""

    name: str
    sha256: str
    file: str = MODEL_FILE


class Listed(NamedTuple):
    """A version as `current.json` lists it."""

    version: str
    sha256: str
    valid_from: datetime
    """End of its training window."""
    registered: datetime = EVER
    withdrawn: datetime | None = None
    withdrawals: tuple[tuple[datetime, datetime], ...] = ()

    def withdrawn_at(self, instant: datetime | None) -> bool:
        """Whether it is rolled back at the instant; None is now."""
        if instant is None:
            return self.withdrawn is not None
        since = self.withdrawn is not None and self.withdrawn <= instant
        return since or any(start <= instant < end for start, end in self.withdrawals)


class Switch(NamedTuple):
    """From `at` on this version was in use."""

    at: datetime
    version: str


class History(NamedTuple):
    """A sensor's `current.json`: versions in order of registration, one or more switches in order of time."""

    versions: tuple[Listed, ...]
    switches: tuple[Switch, ...]
    older: int = 0
    """How many earlier versions are in the store without being listed."""

    def listed(self, version: str) -> Listed | None:
        """The version of this name."""
        return next((each for each in self.versions if each.version == version), None)

    def in_use(self, instant: datetime | None = None) -> Listed | None:
        """The version in use at the instant; None is now."""
        for switch in reversed(self.switches):
            if instant is None or switch.at <= instant:
                return self.listed(switch.version)
        return None

    def as_of(self, end: datetime, instant: datetime | None = None) -> Listed | None:
        """Of the versions trained on nothing after `end` the newest, of two the one registered later.

        What is registered later than the instant, or withdrawn at it, does not count; None is now.
        """
        candidates = (
            each
            for each in reversed(self.versions)
            if each.valid_from <= end
            and (instant is None or each.registered <= instant)
            and not each.withdrawn_at(instant)
        )
        return max(candidates, key=lambda each: each.valid_from, default=None)


def find(store: Store, source: ModelSource, sensor: str, span: Window) -> Version | str:
    """The version that counts for a sensor in a run over the window, or why there is none.

    Raises StorageError, and SensorError with ModelCorrupt.
    """
    folder = model_folder(source.path, sensor)
    path = f"{folder}/{CURRENT_FILE}"
    try:
        data = store.get(path, MAX_CURRENT_BYTES).data
    except NotFoundError:
        return f"{path} does not exist"
    except TooLargeError as error:
        raise SensorError("ModelCorrupt", str(error)) from error
    history = read_history(data, path)
    chosen = _chosen(history, source, span)
    if chosen:
        return Version(chosen.version, chosen.sha256)
    if history.older and source.version not in (CURRENT, AS_OF_WINDOW_END):
        return _older(store, folder, source.version)
    instant = f" at {source.at}" if source.at else ""
    until = f" {span.end:%Y-%m-%dT%H:%M:%SZ}" if source.version == AS_OF_WINDOW_END else ""
    return f"{path} has no version for {source.version}{until}{instant}"


def resolve(data: bytes, path: str, source: ModelSource, span: Window) -> Version | None:
    """The version that counts, None if none of the listed ones does. `data` is the `current.json` at `path`.

    Current is the version in use at the instant `source.at` (None: now). AsOfWindowEnd is the newest version
    whose training window ends no later than the run's window, of those registered by then and not withdrawn
    at that instant. Any other word is a version's name. Raises SensorError with ModelCorrupt.
    """
    chosen = _chosen(read_history(data, path), source, span)
    return Version(chosen.version, chosen.sha256) if chosen else None


def read_history(data: bytes, path: str) -> History:
    """Reads and checks the `current.json` at `path`. Raises SensorError with ModelCorrupt."""
    try:
        return _history(json.loads(data))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error) or type(error).__name__
        raise SensorError("ModelCorrupt", f"{path} is not a model's: {said[:200]}") from error


def is_version(name: object) -> bool:
    """Whether this can be a version's name: letters, digits and `-`, a part of a path."""
    return (
        isinstance(name, str)
        and len(name) <= MAX_VERSION
        and name.isascii()
        and name.replace("-", "").isalnum()
    )


def _chosen(history: History, source: ModelSource, span: Window) -> Listed | None:
    instant = utc_time(source.at) if source.at else None
    if source.version == CURRENT:
        return history.in_use(instant)
    if source.version == AS_OF_WINDOW_END:
        return history.as_of(span.end, instant)
    return history.listed(source.version)


def _older(store: Store, folder: str, version: str) -> Version | str:
    """A version that the list has no room for any more, by its own metadata.

    That says its digest: it lies beside `current.json`, written by the same hand.
    """
    if not is_version(version):
        return f"{version!r} is no version's name"
    path = f"{folder}/{version}/{METADATA_FILE}"
    try:
        found = json.loads(store.get(path, MAX_METADATA_BYTES).data)
        sha256 = _sha256(found)
        if found["version"] != version:
            raise ValueError(f"it is of version {found['version']!r}")
    except NotFoundError:
        return f"{folder}/{CURRENT_FILE} does not list {version}, and {path} does not exist"
    except (TooLargeError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SensorError("ModelCorrupt", f"{path} is not a version's: {str(error)[:200]}") from error
    return Version(version, sha256)


def _history(found: Any) -> History:
    """Raises ValueError, KeyError and TypeError."""
    if not isinstance(found, dict):
        raise ValueError(f"it is a {type(found).__name__}, wanted an object")
    current = _listed(found)
    if "versions" not in found and "switches" not in found:
        return History((current,), (Switch(EVER, current.version),))
    versions = tuple(_listed(entry) for entry in _entries(found, "versions"))
    switches = tuple(Switch(_time(entry, "at"), _version(entry)) for entry in _entries(found, "switches"))
    names = {each.version for each in versions}
    if len(names) != len(versions):
        raise ValueError("versions holds a name twice")
    if stranger := next((switch.version for switch in switches if switch.version not in names), None):
        raise ValueError(f"switches names {stranger!r}, which versions does not list")
    if list(switches) != sorted(switches, key=lambda switch: switch.at):
        raise ValueError("switches is not in order of time")
    older = found.get("older", 0)
    if not isinstance(older, int) or isinstance(older, bool) or older < 0:
        raise ValueError(f"older is {older!r}, wanted a count")
    history = History(versions, switches, older)
    last = history.in_use()
    if last is None or (last.version, last.sha256) != (current.version, current.sha256):
        raise ValueError(f"version is {current.version!r}, but switches ends with another one")
    return history


def _entries(found: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    entries = found[key]
    if not isinstance(entries, list) or not entries or not all(isinstance(each, dict) for each in entries):
        raise ValueError(f"{key} is not a list of objects")
    return entries


def _listed(entry: Mapping[str, Any]) -> Listed:
    withdrawals = entry.get("withdrawals", [])
    if not isinstance(withdrawals, list) or not all(
        isinstance(span, list) and len(span) == 2 for span in withdrawals
    ):
        raise ValueError("withdrawals is not a list of [from, until]")
    return Listed(
        _version(entry),
        _sha256(entry),
        _time(entry, "validFrom"),
        _time(entry, "registered"),
        _time(entry, "withdrawn") if "withdrawn" in entry else None,
        tuple((_time({"from": start}, "from"), _time({"until": end}, "until")) for start, end in withdrawals),
    )


def _version(entry: Mapping[str, Any]) -> str:
    name = entry["version"]
    if not is_version(name):
        raise ValueError(f"version is {str(name)[:80]!r}, wanted letters, digits and '-'")
    return str(name)


def _sha256(entry: Mapping[str, Any]) -> str:
    sha256 = entry["sha256"]
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ValueError(f"sha256 is {str(sha256)[:80]!r}, wanted 64 hexadecimal digits")
    return sha256


def _time(entry: Mapping[str, Any], key: str) -> datetime:
    """The entry's time; what does not say it has been so for ever."""
    if key not in entry:
        return EVER
    text = entry[key]
    if not isinstance(text, str):
        raise ValueError(f"{key} is {str(text)[:80]!r}, wanted a time")
    return utc_time(text)
