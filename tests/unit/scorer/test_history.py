from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.fit.history import (
    MAX_SWITCHES,
    MAX_VERSIONS,
    MAX_WITHDRAWALS,
    HistoryError,
    bounded,
    encode,
    registered,
    rolled_back,
)
from scorer.versions import EVER, MAX_CURRENT_BYTES, History, Listed, Switch, read_history

DAY = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return DAY + timedelta(seconds=seconds)


def version(name: str, valid_from: int = 0, digest: str = "0") -> Listed:
    return Listed(name, digest * 64, at(valid_from))


def history(*versions: Listed) -> History:
    """All registered, one a second."""
    found: History | None = None
    for number, each in enumerate(versions):
        found = registered(found, each, at(number))
    assert found is not None
    return found


def in_use(found: History) -> str:
    current = found.in_use()
    assert current is not None
    return current.version


def names(found: History) -> list[str]:
    return [each.version for each in found.versions]


def test_the_first_version_is_in_use_at_once() -> None:
    found = registered(None, version("v1"), at(5.9))
    assert found == History((version("v1")._replace(registered=at(5)),), (Switch(at(5), "v1"),))


def test_a_version_of_the_same_or_a_later_window_comes_into_use() -> None:
    found = history(version("v1"), version("v2"), version("v3", 60))
    assert in_use(found) == "v3"
    assert [switch.version for switch in found.switches] == ["v1", "v2", "v3"]


def test_a_version_of_an_earlier_window_is_only_listed() -> None:
    found = history(version("v2", 60), version("v1"))
    assert in_use(found) == "v2"
    assert names(found) == ["v2", "v1"]


@given(st.permutations([version("v1", 10), version("v2", 20), version("v3", 30)]))
def test_the_order_of_registrations_does_not_matter(order: list[Listed]) -> None:
    found = history(*order)
    assert in_use(found) == "v3"
    assert sorted(names(found)) == ["v1", "v2", "v3"]


def test_registering_what_is_in_use_changes_nothing() -> None:
    found = history(version("v1"), version("v2"))
    assert registered(found, version("v2"), at(9)) == found


def test_registering_an_earlier_one_of_the_same_window_brings_it_back_into_use() -> None:
    found = registered(history(version("v1"), version("v2")), version("v1"), at(9))
    assert in_use(found) == "v1"
    assert names(found) == ["v1", "v2"]


def test_another_model_cannot_take_a_versions_name() -> None:
    with pytest.raises(HistoryError, match="v1 is another model, with sha256 000"):
        registered(history(version("v1")), version("v1", digest="1"), at(9))


def test_rolling_back_withdraws_what_is_in_use_for_what_was_before() -> None:
    back = rolled_back(history(version("v1"), version("v2")), None, at(9))
    assert (back.left, back.became) == ("v2", "v1")
    assert in_use(back.history) == "v1"
    withdrawn = back.history.listed("v2")
    assert withdrawn is not None
    assert withdrawn.withdrawn == at(9)


def test_rolling_back_again_goes_further_back() -> None:
    once = rolled_back(history(version("v1"), version("v2"), version("v3")), None, at(9)).history
    assert in_use(rolled_back(once, None, at(10)).history) == "v1"


def test_what_was_rolled_back_stays_so_when_it_is_registered_again() -> None:
    found = rolled_back(history(version("v1"), version("v2")), None, at(9)).history
    assert registered(found, version("v2"), at(10)) == found


def test_rolling_back_to_a_withdrawn_version_takes_it_back() -> None:
    found = rolled_back(history(version("v1"), version("v2")), None, at(9)).history
    found = rolled_back(found, "v2", at(12)).history
    back = found.listed("v2")
    assert in_use(found) == "v2"
    assert back is not None
    assert (back.withdrawn, back.withdrawals) == (None, ((at(9), at(12)),))
    assert [back.withdrawn_at(at(second)) for second in (8, 9, 11, 12)] == [False, True, True, False]


def test_only_the_last_withdrawals_are_kept() -> None:
    found = history(version("v1"), version("v2"))
    for number in range(MAX_WITHDRAWALS + 2):
        found = rolled_back(found, "v1", at(10 + 2 * number)).history
        found = rolled_back(found, "v2", at(11 + 2 * number)).history
    back = found.listed("v2")
    assert back is not None
    assert len(back.withdrawals) == MAX_WITHDRAWALS
    assert back.withdrawals[-1] == (at(20), at(21))


def test_rolling_back_to_what_is_in_use_changes_nothing() -> None:
    found = history(version("v1"), version("v2"))
    assert rolled_back(found, "v2", at(9)) == (found, "v2", "v2")


@pytest.mark.parametrize(
    ("found", "to", "says"),
    [
        (history(version("v1")), None, "no version was in use before v1.* of none"),
        (history(version("v2", 60), version("v1")), None, "before v2: name one with --to, of v1"),
        (history(version("v1")), "v9", "v9 is not listed; there are v1"),
        (history(version("v1"))._replace(older=2), "v0", "nor are 2 older ones: register its file again"),
        (history(*(version(f"v{number}") for number in range(9))), "v9", "v8, v7, v6, v5, v4, …"),
    ],
)
def test_where_one_cannot_roll_back_to(found: History, to: str | None, says: str) -> None:
    with pytest.raises(HistoryError, match=says):
        rolled_back(found, to, at(9))


def test_changes_are_never_dated_before_those_that_they_follow() -> None:
    found = registered(history(version("v1"), version("v2")), version("v3", 60), at(-100))
    assert found.switches[-1] == Switch(at(1), "v3")
    assert found.versions[-1].registered == at(1)


def test_an_old_file_is_carried_on() -> None:
    old = read_history(b'{"version": "v1", "sha256": "' + b"0" * 64 + b'"}', "current.json")
    found = read_history(encode(registered(old, version("v2"), at(3))), "current.json")
    assert found.switches == (Switch(EVER, "v1"), Switch(at(3), "v2"))
    assert in_use(rolled_back(found, None, at(9)).history) == "v1"


def test_the_list_keeps_the_last_switches_and_versions_and_counts_the_others() -> None:
    many = history(*(version(f"v{number:03}", number) for number in range(300)))
    kept = bounded(many)
    assert len(kept.switches) == MAX_SWITCHES
    assert names(kept) == [f"v{number:03}" for number in range(100, 300)]
    assert kept.older == 100
    assert bounded(registered(kept, version("v300", 300), at(400))).older == 101


def test_versions_that_switches_name_are_kept_before_others() -> None:
    found = history(version("v0", 500), *(version(f"w{number:03}", number) for number in range(300)))
    kept = bounded(found)
    assert in_use(kept) == "v0"
    assert len(kept.versions) == MAX_VERSIONS
    assert names(kept)[:2] == ["v0", "w101"]


@settings(max_examples=20)
@given(st.integers(1, 260), st.integers(0, 40), st.booleans())
def test_the_file_is_never_larger_than_a_pod_reads(count: int, rollbacks: int, long: bool) -> None:
    stem = "v" * 36 if long else "v"
    found = history(*(version(f"{stem}{number:04}", number) for number in range(count)))
    for number in range(rollbacks if count > 1 else 0):
        to = found.versions[-1 - number % 2].version
        found = rolled_back(found, to, at(count + number)).history
    data = encode(found)
    assert len(data) <= MAX_CURRENT_BYTES
    assert in_use(read_history(data, "current.json")) == in_use(found)


def test_versions_that_came_and_went_over_and_over_give_room() -> None:
    spans = tuple((at(number), at(number + 1)) for number in range(MAX_WITHDRAWALS))
    versions = tuple(version(f"{number:040}")._replace(withdrawals=spans) for number in range(200))
    found = History(versions, (Switch(at(1), versions[0].version),))
    data = encode(found)
    assert len(data) <= MAX_CURRENT_BYTES
    assert read_history(data, "current.json").older > 0
