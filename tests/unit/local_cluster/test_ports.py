import socket

from local.ports import free_ports


def test_ports_differ_and_can_be_listened_on() -> None:
    ports = free_ports(3)
    assert len(set(ports)) == 3
    for port in ports:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", port))


def test_they_lie_below_those_of_outgoing_connections() -> None:
    assert all(20000 <= port < 32000 for port in free_ports(10))
