"""Addresses of clients on internal listeners (docs/decisions/0103)."""

import ipaddress

import pytest

from mailkit.mail.address import peer_address
from mailkit.net.internal import PREFIX, internal_address, is_internal

ADDRESSES = ("127.0.0.1", "10.244.1.7", "255.255.255.255", "2001:db8::7", "2001:db8::8", "::1", "100::a")


def test_each_client_has_one_of_its_own_that_is_normalised() -> None:
    found = [internal_address(each) for each in ADDRESSES]
    assert len(set(found)) == len(ADDRESSES)
    for each in found:
        assert peer_address(each) == each and ipaddress.ip_address(each) in PREFIX and is_internal(each)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "100:0:0:1::1", "101::"])
def test_no_other_address_is_internal(address: str) -> None:
    assert not is_internal(address)
