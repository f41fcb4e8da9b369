"""Scores rows by plugins: one process for all, bound in time and memory, started anew after a death."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from scorer.contract.outcome import SensorError
from scorer.plugin import memory
from scorer.plugin.payload import Packed, unpack
from scorer.plugin.process import Process
from scorer.plugin.wire import WireError
from scorer.settings import plugin_environment, settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorer.model import Model, PluginPart

BUILT_IN: Mapping[str, str] = {"sklearn": "scorer.plugin.scikit"}
"""Plugins that any image may have: whether its packages are there shows when one is needed."""
SECONDS = 120.0
"""For one model to load or one window to score: scikit-learn's imports alone take ten on a cold node."""
KEPT_MODELS = 8
"""That stay loaded: sensors that share a model come one after the other, others need theirs once a window."""
TOLERANCE = 1e-9
"""Of the golden scores' largest: more is another computation, not another rounding."""
_MIB = 1024 * 1024


class Limits(NamedTuple):
    """What a plugin may take: seconds for each request, bytes (None: what the container leaves)."""

    seconds: float = SECONDS
    memory: int | None = None


class Runner:
    """Scores by plugins. `plugins` are the module that the image allows for each name.

    `environment` is all that the process gets of the scorer's: no credentials belong into it. Used by one
    thread, and to be closed by it.
    """

    def __init__(
        self,
        plugins: Mapping[str, str],
        environment: Mapping[str, str],
        tell: Callable[[str], None],
        limits: Limits = Limits(),  # noqa: B008 (it cannot be changed)
    ) -> None:
        self._modules = {**BUILT_IN, **plugins}
        self._environment = environment
        self._tell = tell
        self._limits = limits
        self._process: Process | None = None
        self._loaded: OrderedDict[str, None] = OrderedDict()
        self._refused: list[str] = []  # loaded, but not as registered: dropped with the next load
        self._oom_kills = 0
        self._memory = 0

    @classmethod
    def of_this_image(cls, tell: Callable[[str], None]) -> Runner:
        """The one that image and administrator have set up, by the environment."""
        given = settings()
        seconds = SECONDS if given.plugin_seconds is None else given.plugin_seconds
        return cls(given.plugins, plugin_environment(), tell, Limits(seconds))

    def scores(self, model: Model, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """The plugin's scores (n,) of rows (n, features): higher is more anomalous, none is NaN.

        Raises SensorError: PluginFailed, PluginTimeout, PluginOutOfMemory, ModelCorrupt or ModelIncompatible.
        """
        if model.plugin is None:
            raise ValueError("model has stages, and needs no plugin")
        name = model.plugin.name
        if name not in self._modules:
            raise SensorError(
                "ModelIncompatible",
                f"model is made for the plugin {name!r}, which this runtime (with"
                f" {', '.join(self._modules)}) does not have: name one whose image sets"
                f" SENSORSCORE_PLUGINS={name}=PACKAGE",
            )
        if self._process is not None and not self._process.alive():
            self.close()
        used = self._process is not None
        try:
            return self._loaded_scores(model, model.plugin, rows)
        except SensorError as error:
            # Others may have spoiled a process that they used: in a new one it is this model's own doing.
            if not (used and self._process is None and error.reason != "PluginTimeout"):
                raise
        return self._loaded_scores(model, model.plugin, rows)

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.end()
        self._process = None
        self._loaded.clear()
        self._refused.clear()

    def _loaded_scores(
        self, model: Model, part: PluginPart, rows: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        if model.sha256 not in self._loaded:
            self._load(model, part.name, unpack(part.payload, len(model.features)))
        self._loaded.move_to_end(model.sha256)
        return self._score(model, part.name, rows)

    def _load(self, model: Model, name: str, packed: Packed) -> None:
        drop = self._refused
        self._refused = [model.sha256]
        while len(self._loaded) >= KEPT_MODELS:
            drop.append(self._loaded.popitem(last=False)[0])
        request = {
            "do": "load",
            "model": model.sha256,
            "module": self._modules[name],
            "params": dict(packed.params),
            "drop": drop,
        }
        self._ask(name, "load its model", request, packed.data, 0)
        found = self._score(model, name, packed.golden_rows)
        difference = float(np.abs(found - packed.golden_scores).max())
        allowed = TOLERANCE * float(np.abs(packed.golden_scores).max())
        if not difference <= allowed:
            raise SensorError(
                "ModelIncompatible",
                f"model is scored otherwise here than where it was registered: its golden rows differ by"
                f" {difference:.3g}, wanted at most {allowed:.3g}; register it again with the versions of"
                f" this runtime's packages, on the same kind of processor",
            )
        self._refused.remove(model.sha256)
        self._loaded[model.sha256] = None

    def _score(self, model: Model, name: str, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        if not len(rows):
            return np.empty(0)
        request = {"do": "score", "model": model.sha256, "shape": list(rows.shape)}
        what = f"score {len(rows)} rows"
        body = self._ask(name, what, request, np.ascontiguousarray(rows, "<f8"), 8 * len(rows))
        if len(body) != 8 * len(rows):
            raise SensorError("PluginFailed", f"plugin {name!r} gave {len(body)} bytes for {len(rows)} rows")
        found = np.frombuffer(body, "<f8")
        if bad := int(np.isnan(found).sum()):
            first = int(np.isnan(found).argmax())
            raise SensorError(
                "PluginFailed",
                f"plugin {name!r} gave no number (NaN) for {bad} of {len(rows)} rows, first for row {first}",
            )
        return found

    def _ask(self, name: str, what: str, request: dict[str, Any], body: Any, largest: int) -> bytearray:
        """One request, answered well; else SensorError, and the process is gone if it cannot go on."""
        process = self._process or self._start(name)
        try:
            answer, found = process.ask(request, body, largest, self._limits.seconds)
        except TimeoutError as error:
            self._late(name, what, error)
        except (EOFError, OSError) as error:
            self._died(name, what, process, error)
        except WireError as error:
            self.close()
            raise SensorError(
                "PluginFailed", f"plugin {name!r} wrote into the scorer's connection: {error}"
            ) from error
        if "error" in answer:
            self._complain(name, what, answer)
        return found

    def _start(self, name: str) -> Process:
        self._memory = memory.budget() if self._limits.memory is None else self._limits.memory
        if self._memory < memory.LEAST:
            raise SensorError(
                "PluginOutOfMemory",
                f"plugin {name!r} would have {max(0, self._memory) // _MIB} MiB: wanted at least"
                f" {memory.LEAST // _MIB} MiB, raise the runtime's memory limit",
            )
        self._oom_kills = memory.oom_kills()
        process = self._process = Process(self._environment, self._memory, self._tell)
        try:
            process.wait_until_ready(self._limits.seconds)
        except TimeoutError as error:
            self._late(name, "start", error)
        except (EOFError, OSError, WireError) as error:
            self._died(name, "start", process, error)
        return process

    def _late(self, name: str, what: str, error: TimeoutError) -> NoReturn:
        self.close()
        seconds = math.ceil(self._limits.seconds)
        raise SensorError(
            "PluginTimeout", f"plugin {name!r} did not {what} within {seconds} s: its process was ended"
        ) from error

    def _died(self, name: str, what: str, process: Process, error: Exception) -> NoReturn:
        how = process.died_of()
        self.close()
        if how == "SIGKILL" and memory.oom_kills() > self._oom_kills:
            self._out_of_memory(name, what)
        raise SensorError(
            "PluginFailed", f"plugin {name!r} died when asked to {what}: {how}; its output is in the log"
        ) from error

    def _complain(self, name: str, what: str, answer: Mapping[str, Any]) -> NoReturn:
        """What went wrong in the plugin, as its process says it: a claim, and not to be trusted with more."""
        message = str(answer.get("message", ""))[:500]
        match answer["error"]:
            case "memory":
                self.close()  # half of what it has is in an unknown state
                self._out_of_memory(name, what)
            case "incompatible":
                raise SensorError("ModelIncompatible", f"plugin {name!r}: {message}")
            case "corrupt":
                raise SensorError("ModelCorrupt", f"plugin {name!r}: {message}")
        raise SensorError("PluginFailed", f"plugin {name!r} could not {what}: {message}")

    def _out_of_memory(self, name: str, what: str) -> NoReturn:
        raise SensorError(
            "PluginOutOfMemory",
            f"plugin {name!r} needed more than {self._memory // _MIB} MiB to {what}:"
            f" raise the runtime's memory limit, or give it less",
        )
