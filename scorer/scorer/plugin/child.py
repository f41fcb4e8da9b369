"""The process that a plugin's models live in: `python -m scorer.plugin.child OPTIONS`, started by the scorer.

It takes requests on a socket that it was started with, one after the other, and ends when the other side
does. Whatever a plugin prints goes to the log: its stdout is no part of the conversation.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import signal
import socket
import sys
import traceback
from typing import Any, NoReturn

from scorer.plugin import CorruptError, IncompatibleError
from scorer.plugin.wire import receive, send

_LARGEST = 2**62  # of a request: the scorer itself bounds what it sends
_PR_SET_PDEATHSIG = 1


def main(options: dict[str, Any]) -> NoReturn:
    """Serves requests; `options` are connection (file descriptor), parent (process id), memory (bytes)."""
    _bind(options["parent"], options["memory"])
    connection = socket.socket(fileno=options["connection"])
    connection.set_inheritable(False)
    models: dict[str, tuple[Any, Any]] = {}
    send(connection, {"ready": True})
    while True:
        try:
            request, body = receive(connection, _LARGEST)
        except (EOFError, OSError):
            os._exit(0)
        answer, scores = _answer(models, request, body)
        del body
        send(connection, answer, scores)


def _bind(parent: int, memory: int) -> None:
    """Ties this process to its parent and limits it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)
    # Private memory, unlike the address space, leaves out the libraries: it is what counts in the container.
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        # Should the container's memory end all the same, this process goes and the scorer stays.
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123 (pathlib is not needed)
            file.write("1000")
    except OSError as error:
        sys.stderr.write(f"oom_score_adj is left as it is: {error.strerror}\n")


def _answer(
    models: dict[str, tuple[Any, Any]], request: dict[str, Any], body: bytearray
) -> tuple[dict[str, Any], Any]:
    """What to send back. Whatever a plugin raises is an answer too."""
    try:
        if request["do"] == "load":
            for digest in request["drop"]:
                models.pop(digest, None)
            module = _imported(request["module"])
            models[request["model"]] = module, module.load(bytes(body), request["params"])
            return {}, b""
        return {}, _scores(*models[request["model"]], request["shape"], body)
    except MemoryError:
        models.clear()
        return {"error": "memory"}, b""
    except (_MissingError, IncompatibleError) as error:
        return {"error": "incompatible", "message": _sentence(error)}, b""
    except CorruptError as error:
        return {"error": "corrupt", "message": _sentence(error)}, b""
    except BaseException as error:  # noqa: BLE001 (a plugin may raise anything, SystemExit too)
        traceback.print_exc()
        return {"error": "failed", "message": f"{type(error).__name__}: {_sentence(error)}"}, b""


class _MissingError(Exception):
    """The image lacks a package."""


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        why = f"this runtime's image has no package {error.name}: name a runtime whose image has it"
        raise _MissingError(why) from error


def _scores(module: Any, model: Any, shape: list[int], body: bytearray) -> Any:
    import numpy as np

    rows = np.frombuffer(body, "<f8").reshape(shape)
    found = np.asarray(module.score(model, rows))
    if found.shape != (shape[0],) or found.dtype.kind not in "fiu":
        raise TypeError(
            f"score gave {found.dtype} of shape {found.shape}: wanted numbers of shape ({shape[0]},)"
        )
    return np.ascontiguousarray(found, "<f8")


def _sentence(error: BaseException) -> str:
    """Its first line, for people."""
    return (str(error).splitlines() or [""])[0][:500]


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
