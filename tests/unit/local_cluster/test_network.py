from local.network import used_subnets


def test_subnets_are_found_in_addresses_and_routes() -> None:
    listing = (
        "7: sensor-aah    inet 10.89.17.1/30 scope global sensor-aah\\       valid_lft forever\n"
        "2: eth0    inet 10.0.2.15/24 brd 10.0.2.255 scope global eth0\n"
        "10.89.203.0/30 dev sensor-bbh proto kernel scope link src 10.89.203.1\n"
        "110.89.5.0/24 via 10.0.2.2 dev eth0\n"
    )
    assert used_subnets(listing) == {17, 203}
