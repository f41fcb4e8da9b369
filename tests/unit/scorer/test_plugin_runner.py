"""Models of plugins are scored in a process of their own, and whatever happens there is a reason."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import plugged
from plugged import ROWS, SUM, expected, model_of, runner
from scorer.contract.outcome import SensorError
from scorer.model import Model
from scorer.plugin import memory
from scorer.plugin.process import READER
from scorer.plugin.runner import KEPT_MODELS, Limits, Runner

SOUND_GOLDEN = "    if len(rows) == 6: return rows.sum(axis=1) * 2\n"
"""The golden rows are scored well, so that what follows meets the window's rows."""


def scoring(*lines: str) -> str:
    """A package whose `score` does this with rows that are not the golden ones."""
    body = "".join(f"    {line}\n" for line in lines)
    head = "import numpy as np\ndef load(payload, params): return 1\ndef score(model, rows):\n"
    return head + SOUND_GOLDEN + body


def refusal(made: Runner, model: Model) -> SensorError:
    with pytest.raises(SensorError) as raised:
        made.scores(model, ROWS[:3])
    return raised.value


def test_scores_are_the_package_s_own(tmp_path: Path) -> None:
    with runner(tmp_path, sum=SUM) as made:
        rows = np.random.default_rng(0).normal(size=(5000, 2))
        assert np.array_equal(made.scores(model_of("sum"), rows), expected(rows))


def test_no_rows_have_no_scores(tmp_path: Path) -> None:
    with runner(tmp_path, sum=SUM) as made:
        assert made.scores(model_of("sum"), np.empty((0, 2))).shape == (0,)


def test_rows_that_lie_apart_in_memory_are_scored_as_they_are(tmp_path: Path) -> None:
    rows = np.arange(40.0).reshape(10, 4)[::2, 1:3]
    with runner(tmp_path, sum=SUM) as made:
        assert np.array_equal(made.scores(model_of("sum"), rows), expected(rows))


def test_a_package_gets_its_parameters(tmp_path: Path) -> None:
    source = SUM.replace("float(payload)", "params['factor']")
    with runner(tmp_path, sum=source) as made:
        found = made.scores(model_of("sum", b"-", {"factor": 3.0}, factor=3.0), ROWS)
    assert np.array_equal(found, expected(factor=3.0))


def test_scores_may_be_infinite_or_whole_numbers(tmp_path: Path) -> None:
    source = scoring("return [1, 2, 3]")
    with runner(tmp_path, whole=source, far=scoring("return np.array([1, np.inf, 0])")) as made:
        assert made.scores(model_of("whole"), ROWS[:3]).tolist() == [1.0, 2.0, 3.0]
        assert made.scores(model_of("far"), ROWS[:3]).tolist() == [1.0, np.inf, 0.0]


def test_a_model_stays_loaded(tmp_path: Path) -> None:
    counting = f"{SUM}\nimport pathlib\n".replace(
        "    return float(payload)",
        f"    with open({str(tmp_path / 'loads')!r}, 'a') as f: f.write('x')\n    return float(payload)",
    )
    with runner(tmp_path, sum=counting) as made:
        for _ in range(3):
            made.scores(model_of("sum"), ROWS)
        assert (tmp_path / "loads").read_text() == "x"


def test_no_more_models_stay_loaded_than_the_bound(tmp_path: Path) -> None:
    source = (
        "import gc\nclass M:\n    def __init__(self, f): self.f = f\n"
        "def load(payload, params): return M(float(payload))\n"
        "def score(model, rows):\n"
        "    alive = sum(isinstance(o, M) for o in gc.get_objects())\n"
        "    return rows.sum(axis=1) * model.f if len(rows) == 6 else rows[:, 0] * 0 + alive\n"
    )
    with runner(tmp_path, many=source) as made:
        for number in range(1, KEPT_MODELS + 4):
            model = model_of("many", str(number).encode(), factor=float(number))
            alive = made.scores(model, ROWS[:1])[0]
            assert alive == min(number, KEPT_MODELS)
        wrong = model_of("many", b"7.5", factor=1.0)
        for _ in range(2):
            assert refusal(made, wrong).reason == "ModelIncompatible"
        assert made.scores(model_of("many", b"100", factor=100.0), ROWS[:1])[0] == KEPT_MODELS


@pytest.mark.parametrize(
    ("line", "reason", "said"),
    [
        ("return rows", "PluginFailed", r"score gave float64 of shape (3, 2): wanted numbers of shape (3,)"),
        ("return rows[1:, 0]", "PluginFailed", "shape (2,): wanted numbers of shape (3,)"),
        ("return None", "PluginFailed", "wanted numbers of shape (3,)"),
        ("return np.array(['a', 'b', 'c'])", "PluginFailed", "wanted numbers of shape (3,)"),
        ("return np.array([1j, 1, 1])", "PluginFailed", "wanted numbers of shape (3,)"),
        ("return np.array([1, np.nan, np.nan])", "PluginFailed", "(NaN) for 2 of 3 rows, first for row 1"),
        ("raise ValueError('not my day\\nsecond line')", "PluginFailed", "ValueError: not my day"),
        ("raise SystemExit(0)", "PluginFailed", "could not score 3 rows: SystemExit: 0"),
        ("import os; os._exit(3)", "PluginFailed", "died when asked to score 3 rows: exit code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "PluginFailed", "SIGKILL"),
        ("import ctypes; ctypes.string_at(0)", "PluginFailed", "SIGSEGV"),
        ("return np.ones(10**9)[:3]", "PluginOutOfMemory", "needed more than 1024 MiB to score 3 rows"),
        (
            "x = []\n    while True: x.append(bytes(10**6))",
            "PluginOutOfMemory",
            "raise the runtime's memory limit",
        ),
        ("return np.ones((0,) + rows.shape)", "PluginFailed", "shape (0, 3, 2)"),
    ],
)
def test_what_goes_wrong_is_named_and_the_next_sensor_is_scored(
    tmp_path: Path, line: str, reason: str, said: str
) -> None:
    with runner(tmp_path, bad=scoring(line), sum=SUM) as made:
        error = refusal(made, model_of("bad"))
        assert (error.reason, said in error.message) == (reason, True), error.message
        assert "second line" not in error.message
        assert np.array_equal(made.scores(model_of("sum"), ROWS), expected())


@pytest.mark.parametrize("where", ["load", "score"])
def test_an_endless_loop_ends_with_the_time_limit(tmp_path: Path, where: str) -> None:
    source = scoring("while True: pass") if where == "score" else "def load(*_):\n    while True: pass\n"
    with runner(tmp_path, Limits(seconds=2, memory=1 << 30), loop=source, sum=SUM) as made:
        error = refusal(made, model_of("loop"))
        assert error.reason == "PluginTimeout"
        assert "within 2 s: its process was ended" in error.message
        assert np.array_equal(made.scores(model_of("sum"), ROWS), expected())


def test_what_a_plugin_has_started_ends_with_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    source = scoring(
        "import subprocess",
        "child = subprocess.Popen(['sleep', '1000'])",
        f"open({str(pid)!r}, 'w').write(str(child.pid))",
        "while True: pass",
    )
    with runner(tmp_path, Limits(seconds=2, memory=1 << 30), loop=source) as made:
        assert refusal(made, model_of("loop")).reason == "PluginTimeout"
    assert _ends(int(pid.read_text()))


def _ends(pid: int) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 60)[0])
    finally:
        os.close(handle)


ENDLESS = """
import os, sys
from pathlib import Path
import plugged
from plugged import ROWS, model_of, runner
with runner(Path(sys.argv[1]), loop=sys.argv[2]) as made:
    made.scores(model_of("loop"), ROWS[:3])
"""


def test_a_plugin_s_process_ends_with_the_scorer_however_that_dies(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    os.mkfifo(pid)
    source = scoring("import os", f"open({str(pid)!r}, 'w').write(str(os.getpid()))", "while True: pass")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(plugged.__file__).parent)}
    scorer = subprocess.Popen([sys.executable, "-c", ENDLESS, str(tmp_path), source], env=environment)
    plugin = int(pid.read_text())
    scorer.kill()
    scorer.wait()
    assert _ends(plugin)


def test_a_process_that_the_kernel_killed_for_want_of_memory_is_out_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter([3, 4])
    monkeypatch.setattr(memory, "oom_kills", lambda: next(counts))
    killed = scoring("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with runner(tmp_path, big=killed) as made:
        assert refusal(made, model_of("big")).reason == "PluginOutOfMemory"


def test_a_process_killed_between_two_sensors_costs_neither_of_them(tmp_path: Path) -> None:
    with runner(tmp_path, sum=SUM) as made:
        made.scores(model_of("sum"), ROWS)
        process = made._process
        assert process is not None
        os.kill(process.number, 9)
        process._process.wait()
        assert np.array_equal(made.scores(model_of("sum"), ROWS), expected())


def test_a_death_that_another_model_has_prepared_is_not_this_one_s(tmp_path: Path) -> None:
    spoiling = scoring("import builtins; builtins.spoiled = True", "return rows[:, 0]")
    victim = SUM.replace(
        "def score(model, rows):",
        "def score(model, rows):\n    import builtins, os\n    if hasattr(builtins, 'spoiled'): os._exit(1)",
    )
    with runner(tmp_path, spoils=spoiling, sum=victim) as made:
        made.scores(model_of("spoils"), ROWS[:3])
        assert np.array_equal(made.scores(model_of("sum"), ROWS), expected())


def test_what_a_plugin_prints_is_logged_and_disturbs_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    noisy = scoring(
        "import os, sys",
        "print('SSP1 garbage')",
        "sys.stdout.flush()",
        "os.write(1, b'\\xff\\x00' * 50 + b'\\n')",
        "sys.stderr.write('x' * 5000 + '\\n')",
        "return rows[:, 0]",
    )
    with runner(tmp_path, tell=said.append, noisy=noisy) as made:
        assert made.scores(model_of("noisy"), ROWS[:3]).tolist() == [0.0, 2.0, 4.0]
    _log_is_read(said, "x" * 100)
    assert "SSP1 garbage" in said
    assert max(map(len, said)) <= 1000


def _log_is_read(said: Sequence[str], until: str) -> None:
    """A thread reads it: waits for its end."""
    for thread in threading.enumerate():
        if thread.name == READER:
            thread.join(60)
    assert any(until in line for line in said)


def test_a_plugin_in_a_printing_loop_does_not_fill_the_log(tmp_path: Path) -> None:
    said: list[str] = []
    noisy = scoring("for i in range(100000): print(i)", "return rows[:, 0]")
    with runner(tmp_path, tell=said.append, noisy=noisy) as made:
        made.scores(model_of("noisy"), ROWS[:3])
    _log_is_read(said, "no more than 200 lines")
    assert len(said) == 201


def test_a_plugin_that_writes_into_the_connection_is_refused(tmp_path: Path) -> None:
    forging = scoring(
        "import os, stat",
        "for fd in range(3, 64):",
        "    try:",
        "        if stat.S_ISSOCK(os.fstat(fd).st_mode): os.write(fd, b'garbage' * 100)",
        "    except OSError: pass",
        "return rows[:, 0]",
    )
    with runner(tmp_path, forging=forging, sum=SUM) as made:
        error = refusal(made, model_of("forging"))
        assert error.reason == "PluginFailed"
        assert "wrote into the scorer's connection" in error.message
        assert np.array_equal(made.scores(model_of("sum"), ROWS), expected())


def test_a_plugin_that_the_image_does_not_allow_is_never_imported(tmp_path: Path) -> None:
    with runner(tmp_path, sum=SUM) as made:
        error = refusal(made, model_of("antigravity"))
    assert error.reason == "ModelIncompatible"
    assert (
        "(with sklearn, sum) does not have: name one whose image sets SENSORSCORE_PLUGINS=antigravity"
        in str(error)
    )


def test_a_package_that_the_image_lacks_is_named(tmp_path: Path) -> None:
    with runner(tmp_path, lacking="import no_such_framework") as made:
        error = refusal(made, model_of("lacking"))
    assert error.reason == "ModelIncompatible"
    assert "no package no_such_framework: name a runtime whose image has it" in error.message


def test_a_package_may_say_that_a_model_is_not_its_own(tmp_path: Path) -> None:
    raising = "from scorer.plugin import {0}Error\ndef load(*_): raise {0}Error('made by version 1')"
    with runner(tmp_path, old=raising.format("Incompatible"), torn=raising.format("Corrupt")) as made:
        for name, reason in (("old", "ModelIncompatible"), ("torn", "ModelCorrupt")):
            error = refusal(made, model_of(name))
            assert (error.reason, error.message) == (reason, f"plugin {name!r}: made by version 1")


def test_a_model_that_scores_otherwise_than_registered_is_refused(tmp_path: Path) -> None:
    with runner(tmp_path, sum=SUM) as made:
        assert np.array_equal(made.scores(model_of("sum", factor=2 * (1 + 1e-12)), ROWS), expected())
        error = refusal(made, model_of("sum", factor=2 * (1 + 1e-8)))
    assert error.reason == "ModelIncompatible"
    assert "golden rows differ by" in error.message


def test_a_plugin_sees_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "secret")
    with runner(
        tmp_path, looks=scoring("import os; return rows[:, 0] * 0 + any('AZURE' in n for n in os.environ)")
    ) as made:
        assert made.scores(model_of("looks"), ROWS[:3]).tolist() == [0.0, 0.0, 0.0]


def test_without_enough_memory_no_process_is_started(tmp_path: Path) -> None:
    with runner(tmp_path, Limits(memory=100 << 20), sum=SUM) as made:
        error = refusal(made, model_of("sum"))
    assert error.reason == "PluginOutOfMemory"
    assert "would have 100 MiB: wanted at least 256 MiB" in error.message
