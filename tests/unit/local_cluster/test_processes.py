import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.errors import LocalError
from local.processes import Daemons, Identity, end, identify, living, parse_stat

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)"
STUBBORN = [sys.executable, "-c", f"import signal, time; {DEAF}; time.sleep(60)"]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="processes are known by /proc, which only Linux has"
)


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Daemons]:
    made = Daemons(tmp_path)
    yield made
    for name in made.names():
        made.stop(name, grace=0)


@pytest.mark.parametrize("name", ["sleep", "a b", "odd) S (name", ")"])
def test_a_program_s_name_may_hold_anything(name: str) -> None:
    fields = " ".join(str(number) for number in range(4, 53))
    assert parse_stat(f"17 ({name}) S {fields}") == ("S", 22)


def test_a_pid_used_again_is_another_process() -> None:
    me = identify(os.getpid())
    assert me is not None
    assert living(me)
    assert not living(Identity(me.pid, me.started - 1))


def test_a_zombie_does_not_live() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    while identify(child.pid) is not None:
        time.sleep(0.01)
    assert Path(f"/proc/{child.pid}").exists()
    child.wait()


def test_a_started_program_is_found_again_by_its_state_directory(daemons: Daemons, tmp_path: Path) -> None:
    daemons.start("sleeper", SLEEP)
    assert Daemons(tmp_path).alive("sleeper")
    assert Daemons(tmp_path).names() == ["sleeper"]


def test_a_running_program_is_not_started_twice(daemons: Daemons) -> None:
    daemons.start("sleeper", SLEEP)
    first = daemons.identity("sleeper")
    daemons.start("sleeper", SLEEP)
    assert daemons.identity("sleeper") == first


def test_a_stopped_program_is_gone_and_forgotten(daemons: Daemons) -> None:
    daemons.start("sleeper", SLEEP)
    identity = daemons.identity("sleeper")
    daemons.stop("sleeper")
    assert identity is not None
    assert not living(identity)
    assert daemons.names() == []


def test_a_program_deaf_to_sigterm_is_killed(daemons: Daemons, tmp_path: Path) -> None:
    daemons.start("stubborn", STUBBORN)
    while "deaf" not in daemons.log_tail("stubborn"):
        time.sleep(0.01)
    Daemons(tmp_path).stop("stubborn", grace=0.1)
    assert not daemons.alive("stubborn")


def test_stopping_what_does_not_run_is_no_error(daemons: Daemons) -> None:
    daemons.stop("never")


def test_a_record_of_a_pid_that_somebody_else_has_now_is_not_believed(daemons: Daemons) -> None:
    daemons.pids.mkdir(parents=True)
    (daemons.pids / "old.json").write_text(json.dumps({"pid": os.getpid(), "started": 1}))
    assert not daemons.alive("old")
    daemons.stop("old")  # must not end this very process


@pytest.mark.parametrize("record", ["", "{", "{}", '{"pid": null, "started": 1}'])
def test_a_broken_record_counts_as_none(daemons: Daemons, record: str) -> None:
    daemons.pids.mkdir(parents=True)
    (daemons.pids / "broken.json").write_text(record)
    assert not daemons.alive("broken")


def test_an_ended_program_s_last_words_are_in_the_error(daemons: Daemons) -> None:
    daemons.start("short", [sys.executable, "-c", "import sys; sys.stdin.read(); sys.exit('out of luck')"])
    while daemons.alive("short"):
        time.sleep(0.01)
    with pytest.raises(LocalError, match=r"short has ended(.|\n)*out of luck"):
        daemons.check("short")


def test_a_program_s_environment_holds_nothing_of_ours(
    daemons: Daemons, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_SECRET", "x")
    daemons.start("env", [sys.executable, "-c", "import os; print(sorted(os.environ))"], {"OWN": "1"})
    while daemons.alive("env"):
        time.sleep(0.01)
    assert "'HOME', " in daemons.log_tail("env")
    assert "'OWN'" in daemons.log_tail("env")
    assert "SOME_SECRET" not in daemons.log_tail("env")


def test_a_program_may_die_of_a_broken_pipe_as_usual(daemons: Daemons) -> None:
    daemons.start("signals", ["sh", "-c", "sleep 0.2; exec grep SigIgn /proc/self/status"])
    while daemons.alive("signals"):
        time.sleep(0.01)
    ignored = int(daemons.log_tail("signals").split()[1], 16)
    assert not ignored & 1 << signal.SIGPIPE - 1


def test_it_can_end_with_the_one_that_started_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from local.processes import Daemons\n"
        f"d = Daemons(Path({str(tmp_path)!r}), die_with_parent=True); d.start('child', {SLEEP!r})\n"
        "print('started', flush=True); import time; time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path.cwd())
    assert parent.stdout is not None
    with parent.stdout:
        parent.stdout.readline()
    child = Daemons(tmp_path).identity("child")
    assert child is not None
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 10
    while living(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not living(child)


def test_ending_nothing_is_no_error() -> None:
    end([], grace=10)
