"""Which partition a key belongs to, as Event Hubs says it: Jenkins' lookup3, folded to 16 bits.

The function is Bob Jenkins' `hashlittle2` (public domain, lookup3.c, 2006), with both seeds 0. How its two
words become a partition is what Microsoft's clients do to send where the service would.
"""

from __future__ import annotations

MASK = 0xFFFFFFFF


def partition_of(key: str, partitions: int) -> int:
    """The partition's number: the remainder as C has it, without its sign."""
    return abs(hash_code(key)) % partitions


def hash_code(key: str) -> int:
    """A signed 16-bit number; 0 for an empty key."""
    if not key:
        return 0
    primary, secondary = lookup3(key.encode())
    folded = (primary ^ secondary) & 0xFFFF
    return folded - 0x10000 if folded & 0x8000 else folded


def lookup3(data: bytes) -> tuple[int, int]:
    """Two 32-bit words (c, b)."""
    a = b = c = (0xDEADBEEF + len(data)) & MASK
    at = 0
    while len(data) - at > 12:
        a, b, c = (
            word + more & MASK for word, more in zip((a, b, c), _words(data[at : at + 12]), strict=True)
        )
        a, b, c = _mix(a, b, c)
        at += 12
    if at == len(data):
        return c, b
    a, b, c = (word + more & MASK for word, more in zip((a, b, c), _words(data[at:]), strict=True))
    return _final(a, b, c)


def _words(data: bytes) -> tuple[int, int, int]:
    data = data.ljust(12, b"\0")
    return tuple(int.from_bytes(data[at : at + 4], "little") for at in (0, 4, 8))  # type: ignore[return-value]


def _turned(word: int, by: int) -> int:
    return (word << by | word >> 32 - by) & MASK


def _final(a: int, b: int, c: int) -> tuple[int, int]:
    c = (c ^ b) - _turned(b, 14) & MASK
    a = (a ^ c) - _turned(c, 11) & MASK
    b = (b ^ a) - _turned(a, 25) & MASK
    c = (c ^ b) - _turned(b, 16) & MASK
    a = (a ^ c) - _turned(c, 4) & MASK
    b = (b ^ a) - _turned(a, 14) & MASK
    c = (c ^ b) - _turned(b, 24) & MASK
    return c, b


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    a = (a - c & MASK) ^ _turned(c, 4)
    c = c + b & MASK
    b = (b - a & MASK) ^ _turned(a, 6)
    a = a + c & MASK
    c = (c - b & MASK) ^ _turned(b, 8)
    b = b + a & MASK
    a = (a - c & MASK) ^ _turned(c, 16)
    c = c + b & MASK
    b = (b - a & MASK) ^ _turned(a, 19)
    a = a + c & MASK
    c = (c - b & MASK) ^ _turned(b, 4)
    b = b + a & MASK
    return a, b, c
