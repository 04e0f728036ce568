"""How much of a DNS answer is read."""

import pytest

from mailkit.net.dns import Resolver, TemporaryDnsError
from mailkit.testing.dns import FakeDns


def addresses(count: int) -> list[str]:
    return [f"192.0.{n // 250}.{n % 250}" for n in range(count)]


async def test_an_answer_that_would_take_long_to_read_is_none() -> None:
    """A message holds 4,000 addresses, whose reading stopped everything else for 0.4 s; larger ones than UDP's are common."""
    with FakeDns() as server:
        server.set("common.test", A=addresses(200))
        server.set("large.test", A=addresses(1500))
        resolver = Resolver([server.server])
        assert sorted(await resolver.a("common.test")) == sorted(addresses(200))
        with pytest.raises(TemporaryDnsError, match=r"octets"):
            await resolver.a("large.test")


def test_the_servers_of_the_system_are_asked_in_the_same_way() -> None:
    servers = Resolver()._resolver.nameservers
    assert servers and {type(each).__name__ for each in servers} == {"BoundedNameserver"}
