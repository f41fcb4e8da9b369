"""Frames between scorer and plugin: whole or refused, never waited for longer than allowed."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.plugin.wire import MAX_HEADER_BYTES, WireError, receive, send

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def prefix(header: int, body: int, magic: bytes = b"SSP1") -> bytes:
    return struct.pack("<4sIQ", magic, header, body)


@pytest.mark.parametrize("body", [b"", b"x", bytes(10), np.arange(3.0)])
def test_a_frame_arrives_as_it_was_sent(pair: Pair, body: bytes) -> None:
    send(pair[0], {"name": "ä", "shape": [1, 2]}, body)
    header, found = receive(pair[1], 100)
    assert (header, bytes(found)) == ({"name": "ä", "shape": [1, 2]}, bytes(body))


def test_a_frame_larger_than_the_socket_s_buffer_arrives(pair: Pair) -> None:
    rows = np.random.default_rng(0).normal(size=1_000_000)
    sender = threading.Thread(target=send, args=(pair[0], {}, rows, time.monotonic() + 60))
    sender.start()
    _, found = receive(pair[1], rows.nbytes, time.monotonic() + 60)
    sender.join()
    assert np.array_equal(np.frombuffer(found), rows)


@pytest.mark.parametrize(
    "data",
    [
        b"print output, longer than a prefix",
        prefix(2, 11) + b"{}",
        prefix(MAX_HEADER_BYTES + 1, 0),
        prefix(2, 2**63) + b"{}",
        prefix(2, 0) + b"[]",
        prefix(2, 0) + b"{{",
        prefix(2, 0) + b"\xff\xfe",
        prefix(20_000, 0) + b"[" * 20_000,
    ],
)
def test_what_is_no_frame_is_refused(pair: Pair, data: bytes) -> None:
    pair[0].sendall(data)
    with pytest.raises(WireError):
        receive(pair[1], 10)


def test_half_a_frame_is_the_other_side_s_end(pair: Pair) -> None:
    pair[0].sendall(prefix(2, 5) + b"{}ab")
    pair[0].close()
    with pytest.raises(EOFError):
        receive(pair[1], 10)


def test_neither_way_is_waited_for_longer_than_allowed(pair: Pair) -> None:
    soon = time.monotonic() + 0.05
    with pytest.raises(TimeoutError):
        receive(pair[1], 10, soon)
    with pytest.raises(TimeoutError):
        send(pair[0], {}, bytes(10**8), soon)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_refused(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(data)
        ours.shutdown(socket.SHUT_WR)
        with pytest.raises((WireError, EOFError)):
            receive(theirs, 10)
