"""Which modules a pod has loaded when it ends, for tests of what its start may cost."""

from __future__ import annotations

import json
from pathlib import Path

TELLING = """
import json, os, sys
leave = os._exit
def telling(code):
    with open(os.environ["MODULES"], "w") as file:
        json.dump(sorted(sys.modules), file)
    leave(code)
os._exit = telling
sys.argv[0] = "scorer"
import runpy
runpy.run_module("scorer", run_name="__main__")
"""
"""A program that runs the pod, and writes its modules into the file that the variable MODULES names."""
_DEAR = (
    *("sklearn", "pandas", "scipy", "joblib", "matplotlib", "safetensors.numpy"),
    *("pyarrow.dataset", "pyarrow.compute", "pyarrow.fs", "azure", "http.client", "ssl"),
    *("asyncio", "concurrent.futures", "click", "argparse"),
)


def dear(modules: list[str]) -> list[str]:
    """Those that may never be on the way of a pod: each costs tens to hundreds of milliseconds.

    (logging and dataclasses come with cloudpickle, which pyarrow imports where it is installed; in a pod it
    is not.)
    """
    return [name for name in modules if name.startswith(_DEAR)]


def modules_in(file: Path) -> list[str]:
    """What `TELLING` has written."""
    found: list[str] = json.loads(file.read_text())
    return found
