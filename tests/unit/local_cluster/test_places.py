from pathlib import Path

import pytest

from local.places import SUBNETS, Addresses, Places, choose_subnet

HERE = Places(Path("/home/someone/sensorscore"))
THERE = Places(Path("/home/someone/another"))


def test_names_follow_from_the_path_alone() -> None:
    assert Places(Path("/home/someone/sensorscore")).name == HERE.name


def test_two_checkouts_share_no_name() -> None:
    for name in ("name", "host_link", "node_link", "run", "image_run", "netns", "state"):
        assert getattr(HERE, name) != getattr(THERE, name)


@pytest.mark.parametrize("link", [HERE.host_link, HERE.node_link])
def test_link_names_are_short_enough_for_the_kernel(link: str) -> None:
    assert len(link) <= 15


def test_socket_paths_are_short_enough_however_deep_the_checkout_lies() -> None:
    deep = Places(Path("/", *["directory"] * 40))
    longest = deep.run / "state/kubelet/device-plugins" / ("x" * 20)
    assert len(str(longest)) < 108


def test_every_subnet_is_a_candidate_once() -> None:
    candidates = HERE.subnet_candidates()
    assert sorted(candidates) == list(range(1, SUBNETS + 1))


def test_the_path_s_own_subnet_is_taken_when_free() -> None:
    assert choose_subnet(HERE, set()).subnet == HERE.subnet_candidates()[0]


def test_a_subnet_in_use_is_passed_over() -> None:
    first, second, third = HERE.subnet_candidates()[:3]
    assert choose_subnet(HERE, {first, second}).subnet == third


def test_without_a_free_subnet_there_is_an_error() -> None:
    with pytest.raises(ValueError, match="in use"):
        choose_subnet(HERE, set(range(1, SUBNETS + 1)))


def test_both_ends_lie_in_one_subnet_of_four_addresses() -> None:
    assert (Addresses(7).host, Addresses(7).node) == ("10.89.7.1", "10.89.7.2")
