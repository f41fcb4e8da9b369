"""Feeds one target with its broken files, in a process of its own: bounded in memory, watched for hangs.

    python tests/fuzz/child.py MODULE TARGET [--seed N] [--first N] [--cases N] [--note FILE]

Case n of a seed is the same file whenever and wherever it is made. Before each case its number goes into the
note, so that whoever started this process knows which one it died of. Writes one line of JSON.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import resource
import traceback
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from fuzz.target import Target
from fuzz.targets import targets

SEED = 20260101
SECONDS = 60
"""For one file. Nobody waits for it: a process that hangs says where, and ends."""
ROOM = 1024 * 1024 * 1024
"""Of address space beyond what is taken when all is loaded: no file makes a reader ask for more."""
MAX_DEFECTS = 20


def main() -> None:
    """Runs the target that is named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("target")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cases", type=int)
    parser.add_argument("--note", type=Path, default=Path(os.devnull))
    options = parser.parse_args()
    target = targets(options.module)[options.target]
    last = target.cases if options.cases is None else options.first + options.cases
    told = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # readers log there
    with options.note.open("wb", buffering=0) as note:
        found = feed(target, options.seed, options.first, last, note.fileno())
    os.write(told, json.dumps(found).encode() + b"\n")


def feed(target: Target, seed: int, first: int, last: int, note: int) -> dict[str, Any]:
    """What came of the good files, those that are fed as they are, and the broken ones from `first` on."""
    faulthandler.enable()  # native code aborts: this says where it was called
    good = list(target.good())
    for data in good:
        assert target.read(data, Random(0)), target.name  # noqa: S311 (the same files every time)
    given = [*good, *target.unbroken(good)]
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew: proc(5)
    before = _peak_mib()
    _bound()
    came: Counter[str] = Counter()
    most, of = before, -1
    defects: list[dict[str, Any]] = []
    for case in range(first, last):
        os.pwrite(note, f"{case:<12}".encode(), 0)
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        try:
            chance = Random(f"{seed}/{target.name}/{case}")  # noqa: S311 (likewise)
            data = given[case] if case < len(given) else target.mutator(chance.choice(good), good, chance)
            came[target.read(data, chance)] += 1
        except Exception as error:  # noqa: BLE001 (whatever comes out of a reader unnamed is a defect)
            told = "".join(traceback.format_exception(error))
            defects.append(
                {"case": case, "error": f"{type(error).__name__}: {error}"[:500], "traceback": told}
            )
            if len(defects) >= MAX_DEFECTS:
                last = case + 1
                break
        if _peak_mib() > most + 8:
            most, of = _peak_mib(), case
    faulthandler.cancel_dump_traceback_later()
    return {
        "cases": last - first,
        "came": came,
        "defects": defects,
        "grownMiB": _peak_mib() - before,
        "grownBy": of,
        "peakMiB": _peak_mib(),
    }


def _bound() -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _peak_mib() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
