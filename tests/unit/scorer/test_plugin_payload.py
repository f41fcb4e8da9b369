"""A plugin's payload: its bytes, and the golden rows and scores that prove it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.contract.outcome import SensorError
from scorer.plugin.payload import GOLDEN_ROWS, Packed, pack, unpack

SOUND = Packed(b"data", {"version": "1"}, np.arange(6.0).reshape(3, 2), np.arange(3.0))


def test_a_payload_comes_apart_as_it_was_packed() -> None:
    found = unpack(pack(SOUND), 2)
    assert (found.data, found.params) == (SOUND.data, SOUND.params)
    assert np.array_equal(found.golden_rows, SOUND.golden_rows)
    assert np.array_equal(found.golden_scores, SOUND.golden_scores)


def test_the_same_content_gives_the_same_bytes() -> None:
    turned = SOUND._replace(golden_rows=np.asfortranarray(SOUND.golden_rows), params=dict(SOUND.params))
    assert pack(SOUND) == pack(turned)


@pytest.mark.parametrize(
    "changed",
    [
        SOUND._replace(golden_rows=np.ones((3, 3))),
        SOUND._replace(golden_rows=np.ones((4, 2))),
        SOUND._replace(golden_rows=np.empty((0, 2)), golden_scores=np.empty(0)),
        SOUND._replace(golden_rows=np.ones((GOLDEN_ROWS + 1, 2)), golden_scores=np.ones(GOLDEN_ROWS + 1)),
        SOUND._replace(golden_scores=np.array([1.0, np.nan, 2.0])),
        SOUND._replace(golden_scores=np.ones((3, 1))),
        SOUND._replace(params=["no", "object"]),  # type: ignore[arg-type]
    ],
)
def test_what_does_not_fit_is_refused(changed: Packed) -> None:
    with pytest.raises(SensorError, match=r"wanted 1 to 1024 finite rows of 2 features") as raised:
        unpack(pack(changed), 2)
    assert raised.value.reason == "ModelCorrupt"


PACKED = pack(SOUND)


@given(st.integers(0, len(PACKED) - 1), st.binary(max_size=12), st.integers(0, 30))
def test_a_damaged_payload_is_read_or_refused(place: int, put: bytes, dropped: int) -> None:
    assert refusal(PACKED[:place] + put + PACKED[place + dropped :]) in ("", "ModelCorrupt")


def refusal(payload: bytes) -> str:
    try:
        unpack(payload, 2)
    except SensorError as error:
        return error.reason
    return ""
