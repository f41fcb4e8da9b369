"""What training and registering came to: every failure by name, and a table of few sensors or a summary."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from scorer.commands.console import complain, say, table
from scorer.commands.progress import Progress
from scorer.contract.exits import Exit
from scorer.errors import InputError

if TYPE_CHECKING:
    from scorer.fit.built import Trained
    from scorer.fit.parallel import Failure, Result

FEW = 40
"""Sensors that still make a table to read, each with its own warnings."""


def tell(what: str, results: Iterable[Result], total: int, file: Path | None) -> int:
    """Follows the results, says what came of them, returns the exit code. `file` takes a line for each."""
    done: list[Trained] = []
    failed: list[Failure] = []
    lines: list[dict[str, Any]] = []
    few = total <= FEW
    with Progress(what, total) as progress:
        for result in results:
            progress.step(failed=result.failure is not None)
            if result.failure:
                failed.append(result.failure)
                progress.complain(f"scorer: {result.failure.message}{_traceback(result.failure)}")
            else:
                done.append(result.done)
            lines.append(_line(result))
            for each in result.done.findings if few and result.done else ():
                sensor = result.done.registered.sensor
                progress.complain(f"scorer: warning: sensor {sensor}: {each.name}: {each.message}")
        seconds = progress.seconds
    done.sort(key=lambda each: (each.registered.sensor, each.registered.version))
    if done and few:
        say(
            table(
                ("SENSOR", "ROWS", "VECTORS", "FLAGGED", "VERSION", "CURRENT"), [_row(each) for each in done]
            )
        )
    say(_counts(done, failed, total, seconds))
    if done and not few:
        _summarise(done)
    _tell_listed(done)
    if file:
        _write(file, lines)
    return int(_exit(failed))


def _exit(failed: Sequence[Failure]) -> Exit:
    if any(each.defect for each in failed):
        return Exit.INTERNAL
    if any(each.again for each in failed):
        return Exit.RETRY
    return Exit.PARTIAL if failed else Exit.OK


def _row(each: Trained) -> tuple[object, ...]:
    done = each.registered
    vectors = "" if each.vectors is None else each.vectors
    return done.sensor, each.rows, vectors, f"{each.flagged:.1%}", done.version, done.state


def _counts(done: Sequence[Trained], failed: Sequence[Failure], total: int, seconds: float) -> str:
    states = Counter(each.registered.state for each in done)
    parts = [f"{count} {state}" for state, count in states.items()]
    parts += [f"{len(failed)} failed"] if failed else []
    return f"{total} {'model' if total == 1 else 'models'} in {seconds:.1f} s: {', '.join(parts) or 'none'}"


def _summarise(done: Sequence[Trained]) -> None:
    rows = [each.rows for each in done]
    flagged = [each.flagged for each in done]
    say(f"rows      {median(rows):g} in the middle, {min(rows)} to {max(rows)}")
    say(f"flagged   {median(flagged):.1%} in the middle, {min(flagged):.1%} to {max(flagged):.1%}")
    warned: dict[str, list[tuple[str, str]]] = {}
    for each in done:
        for finding in each.findings:
            warned.setdefault(finding.name, []).append((each.registered.sensor, finding.message))
    for name, sensors in warned.items():
        first, message = sensors[0]
        complain(f"scorer: warning: {name}: {len(sensors)} sensors, like {first}: {message}")


def _tell_listed(done: Sequence[Trained]) -> None:
    """What did not become current, and why."""
    for state, why in (
        ("listed", "the version in use comes from a later window; these count as of theirs, and by name"),
        ("rolled back", "they stay so; `scorer models rollback SENSOR --to VERSION` takes one back"),
    ):
        sensors = [each.registered.sensor for each in done if each.registered.state == state]
        if sensors:
            named = ", ".join(sensors[:5]) + (", …" if len(sensors) > 5 else "")
            complain(f"scorer: {state}, not in use: {named}: {why}")


def _line(result: Result) -> dict[str, Any]:
    if result.failure:
        sensor = getattr(result.item, "sensor", result.item)
        return {
            "sensor": sensor,
            "state": "failed",
            "reason": result.failure.reason,
            "message": result.failure.message,
        }
    done: Trained = result.done
    return {
        "sensor": done.registered.sensor,
        "state": done.registered.state,
        "version": done.registered.version,
        "sha256": done.registered.sha256,
        "rows": done.rows,
        "flagged": done.flagged,
        "vectors": done.vectors,
        "warnings": [each._asdict() for each in done.findings],
    }


def _write(file: Path, lines: Sequence[dict[str, Any]]) -> None:
    text = "".join(f"{json.dumps(line, sort_keys=True)}\n" for line in lines)
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"--results {file} cannot be written: {error.strerror}") from error


def _traceback(failure: Failure) -> str:
    return f"\n{failure.defect.rstrip()}" if failure.defect else ""
