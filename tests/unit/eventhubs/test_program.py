"""The double as a program, and in a thread."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from eventhubs import EventHubs, Threaded, frames
from eventhubs.__main__ import parse

TESTS = Path(__file__).resolve().parents[2]


def ask(port: int, path: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data, timeout=60) as answer:
        return json.load(answer)


def test_the_program_says_where_it_is_does_as_it_is_told_and_stops() -> None:
    command = [sys.executable, "-m", "eventhubs", "--hub", "readings=2", "--port", "0", "--control-port", "0"]
    with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        told = json.loads(child.stdout.readline())
        assert f"sb://127.0.0.1:{told['port']};" in told["connection_string"]
        filled = ask(told["control_port"], "/fill", {"hub": "readings", "bodies": ["a"], "partition": 1})
        assert filled == {"partition": 1, "next": 1}
        assert ask(told["control_port"], "/state")["hubs"]["readings"][1]["next"] == 1
        with pytest.raises(urllib.error.HTTPError, match="400"):
            ask(told["control_port"], "/cut", {"who": "all"})
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 0


def test_enqueued_times_may_go_faster_than_the_machine_s(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = parse(["--hub", "readings=1", "--clock", "100 5000 60"]).clock
    monkeypatch.setattr(time, "time", lambda: 103.0)
    assert EventHubs({}, clock=clock).clock() == 5180.0


def test_the_program_needs_nothing_but_python() -> None:
    code = "import sys; import eventhubs.__main__; print([name for name in sys.modules if 'azure' in name])"
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(TESTS)!r}); {code}"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_a_double_in_a_thread_is_gone_and_back_at_its_port() -> None:
    with Threaded(EventHubs({"readings": 1})) as hubs:
        port = hubs.do(lambda double: double.port)
        hubs.do(lambda double: double.hub("readings").fill([b"x"]))
        hubs.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=60).close()
        hubs.start()
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(frames.SASL)
            assert connection.recv(8) == frames.SASL
        assert hubs.do(lambda double: double.hub("readings").partitions[0].next) == 1


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        frames.SASL + b"\xff" * 64,
        frames.SASL + frames.frame(0, b"\x00\x53\x10", 1),
    ],
    ids=["another protocol", "a frame that is too long", "a frame that is cut"],
)
def test_who_does_not_speak_the_protocol_is_hung_up_on(said: bytes) -> None:
    with Threaded(EventHubs({"readings": 1})) as hubs:
        port = hubs.do(lambda double: double.port)
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(said)
            while connection.recv(1000):
                pass
