"""Changes of a sensor's `current.json` as pure functions: a version registered, a version rolled back.

What a registration does depends on the file's state alone, so that of two at once the second is simply done
again over what the first one left:

- a version becomes the one in use unless the one in use comes from a later training window. So the order of
  registrations does not matter, and a model of last month's readings can be added for `AsOfWindowEnd`;
- a version that was rolled back stays so when it is registered again: whatever trains every night must not
  undo what a person decided. Only rolling back *to* it brings it back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from scorer.errors import InputError
from scorer.versions import EVER, MAX_CURRENT_BYTES, History, Listed, Switch
from scorer.window import utc_text

MAX_VERSIONS = 200
"""Listed ones. Older ones stay in the store and are found by their name."""
MAX_SWITCHES = 128
"""Fewer than versions: what was never in use has room too."""
MAX_WITHDRAWALS = 4
"""Of one version, that are over."""


class HistoryError(InputError):
    """A change that cannot be made, in one sentence."""


class RolledBack(NamedTuple):
    """What rolling back came to: the version that was left, and the one that is in use now."""

    history: History
    left: str
    became: str


def registered(history: History | None, version: Listed, now: datetime) -> History:
    """With the version listed, and in use if its training window ends no earlier than that of the one in use.

    Raises HistoryError if another model has its name.
    """
    if history is None:
        since = _stamp(None, now)
        return History((version._replace(registered=since),), (Switch(since, version.version),))
    since = _stamp(history, now)
    known = history.listed(version.version)
    if known is None:
        history = history._replace(versions=(*history.versions, version._replace(registered=since)))
        known = version
    elif known.sha256 != version.sha256:
        raise HistoryError(f"version {version.version} is another model, with sha256 {known.sha256}")
    current = _current(history)
    wanted = known.withdrawn is None and known.valid_from >= current.valid_from
    if known.version == current.version or not wanted:
        return history
    return history._replace(switches=(*history.switches, Switch(since, version.version)))


def rolled_back(history: History, to: str | None, now: datetime) -> RolledBack:
    """With the version in use withdrawn, and `to` in its place; None is what was in use before it.

    Raises HistoryError.
    """
    current = _current(history)
    target = history.listed(to) if to else _before(history, current.version)
    if target is None:
        raise HistoryError(_no_target(history, to, current.version))
    if target.version == current.version:
        return RolledBack(history, current.version, current.version)
    since = _stamp(history, now)
    changed = {
        current.version: current._replace(withdrawn=since),
        target.version: _restored(target, since),
    }
    return RolledBack(
        history._replace(
            versions=tuple(changed.get(each.version, each) for each in history.versions),
            switches=(*history.switches, Switch(since, target.version)),
        ),
        current.version,
        target.version,
    )


def encode(history: History) -> bytes:
    """The file's bytes: a line an entry, never more than a pod is ready to read."""
    most = MAX_VERSIONS
    while True:
        data = _encoded(bounded(history, most, min(most, MAX_SWITCHES)))
        if len(data) <= MAX_CURRENT_BYTES or most == 1:
            return data
        most //= 2  # only reached by versions that were rolled back and brought back over and over


def bounded(history: History, versions: int = MAX_VERSIONS, switches: int = MAX_SWITCHES) -> History:
    """The last switches, the versions that they name, and of the others those registered last."""
    kept = history.switches[-switches:]
    named = {switch.version for switch in kept}
    others = [each.version for each in history.versions if each.version not in named]
    room = max(0, versions - len(named))
    listed = named.union(others[len(others) - room :] if room < len(others) else others)
    left = tuple(each for each in history.versions if each.version in listed)
    return History(left, kept, history.older + len(history.versions) - len(left))


def _encoded(history: History) -> bytes:
    current = _current(history)
    head = {"version": current.version, "sha256": current.sha256} | _since("validFrom", current.valid_from)
    switches = [_since("at", each.at) | {"version": each.version} for each in history.switches]
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    lines += [f'"versions": {_lines([_entry(each) for each in history.versions])}']
    lines += [f'"switches": {_lines(switches)}']
    lines += [f'"older": {history.older}'] if history.older else []
    return ("{" + ",\n ".join(lines) + "}\n").encode()


def _lines(entries: Sequence[Mapping[str, Any]]) -> str:
    return "[\n  " + ",\n  ".join(map(json.dumps, entries)) + "]"


def _entry(listed: Listed) -> dict[str, Any]:
    entry: dict[str, Any] = {"version": listed.version, "sha256": listed.sha256}
    entry |= _since("validFrom", listed.valid_from) | _since("registered", listed.registered)
    if listed.withdrawn is not None:
        entry["withdrawn"] = utc_text(listed.withdrawn)
    if listed.withdrawals:
        entry["withdrawals"] = [
            [utc_text(start), utc_text(end)] for start, end in listed.withdrawals[-MAX_WITHDRAWALS:]
        ]
    return entry


def _since(key: str, time: datetime) -> dict[str, str]:
    """What has been so for ever is not said: so it was in files of three keys."""
    return {} if time == EVER else {key: utc_text(time)}


def _stamp(history: History | None, now: datetime) -> datetime:
    """The time of a change: never before an earlier one, also where two machines' clocks differ.

    Rounded down: what is registered before a run begins must count for it, and runs' instants are whole
    seconds too.
    """
    stamp = now.astimezone(UTC).replace(microsecond=0)
    if history is None:
        return stamp
    return max(stamp, history.switches[-1].at, *(each.registered for each in history.versions))


def _current(history: History) -> Listed:
    current = history.in_use()
    if current is None:
        raise HistoryError("no version is in use")
    return current


def _before(history: History, current: str) -> Listed | None:
    """What was in use last before the current version, and was not rolled back since."""
    for switch in reversed(history.switches):
        listed = history.listed(switch.version)
        if listed and switch.version != current and listed.withdrawn is None:
            return listed
    return None


def _no_target(history: History, to: str | None, current: str) -> str:
    if to is None:
        return f"no version was in use before {current}: name one with --to, of {_names(history, current)}"
    older = f", nor are {history.older} older ones: register its file again" if history.older else ""
    return f"version {to} is not listed{older}; there are {_names(history)}"


def _names(history: History, without: str = "") -> str:
    names = [each.version for each in reversed(history.versions) if each.version != without]
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "") if names else "none"


def _restored(listed: Listed, now: datetime) -> Listed:
    if listed.withdrawn is None:
        return listed
    over = (*listed.withdrawals, (listed.withdrawn, now))
    return listed._replace(withdrawn=None, withdrawals=over[-MAX_WITHDRAWALS:])
