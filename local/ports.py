"""Free ports on loopback, for what several tests start at once."""

import random
import socket

# Below the ports that the kernel takes for outgoing connections (32768 and up): there, one of the machine's
# many connections could take a port between our look and the program's start.
_RANGE = range(20000, 32000)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listened on a moment ago, at random so that two callers seldom choose the same."""
    found: list[int] = []
    for port in random.SystemRandom().sample(_RANGE, len(_RANGE)):
        if len(found) == count:
            break
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
    return found
