"""The cluster's network namespace, and the one link that leads into it.

Everything of the cluster lives in there: its bridge, its nftables rules, its ports. So nothing of it shows on
the machine but one link of two addresses, and all of it goes away with the namespace.
"""

import re

from local.commands import run
from local.errors import LocalError
from local.places import SERVICE_CIDR, Addresses, Places, choose_subnet


def used_subnets(listing: str) -> set[int]:
    """Third bytes N of all addresses 10.89.N.x in the output of `ip -4 -o address` and `ip -4 route`."""
    return {int(found) for found in re.findall(r"\b10\.89\.(\d{1,3})\.\d{1,3}\b", listing)}


def enter(places: Places) -> list[str]:
    """What to put before a command so that it runs in the namespace.

    Not `ip netns exec`: that remounts /sys, which hides the cgroups from whatever it starts.
    """
    return ["nsenter", f"--net={places.netns}"]


def create(places: Places) -> Addresses:
    """Make namespace, link and addresses; neither namespace nor link may exist yet."""
    listing = run(["ip", "-4", "-o", "address"], "listing addresses")
    listing += run(["ip", "-4", "route"], "listing routes")
    try:
        at = choose_subnet(places, used_subnets(listing))
    except ValueError as problem:
        raise LocalError(str(problem)) from problem
    host, node = places.host_link, places.node_link
    _ip("netns", "add", places.name)
    _ip("link", "add", host, "type", "veth", "peer", "name", node, "netns", places.name)
    _ip("address", "add", f"{at.host}/30", "dev", host)
    _ip("link", "set", host, "up")
    inside = ("-n", places.name)
    _ip(*inside, "link", "set", "lo", "up")
    _ip(*inside, "address", "add", f"{at.node}/30", "dev", node)
    _ip(*inside, "link", "set", node, "up")
    # No default route: nothing in the cluster can reach the world. Service addresses must be routable,
    # though, for a packet to come as far as kube-proxy's rules that rewrite it; where the route leads does
    # not matter.
    _ip(*inside, "route", "add", SERVICE_CIDR, "via", at.host)
    return at


def remove(places: Places) -> None:
    """Remove link and namespace, as far as they exist."""
    if re.search(rf"\b{places.host_link}[:@]", run(["ip", "-o", "link"], "listing links")):
        _ip("link", "delete", places.host_link)
    if places.netns.exists():
        _ip("netns", "delete", places.name)


def _ip(*arguments: str) -> None:
    run(["ip", *arguments], f"ip {' '.join(arguments)}")
