"""Which answers count as validated by DNSSEC: with AD, of a resolver that is trusted (RFC 7672 2.1.1)."""

import pytest

from mailkit.net.dns import NoRecord, NoSuchName, Resolver
from mailkit.testing.dns import FakeDns


async def test_an_answer_is_secure_if_a_trusted_resolver_says_so() -> None:
    with FakeDns({"safe.test": {"A": ["192.0.2.1"]}, "open.test": {"A": ["192.0.2.1"]}}) as dns:
        dns.set("alias.safe.test", CNAME=["safe.test"])
        dns.secure.add("safe.test")
        for trusted in (None, True):  # None: its address is on loopback
            resolver = Resolver([dns.server], dnssec=trusted)
            answer = await resolver.answer("alias.safe.test", "A")
            assert (answer.records, answer.secure, answer.name) == (("192.0.2.1",), True, "safe.test")
            assert await resolver.answer("alias.safe.test", "A") == answer  # from the cache
            assert not (await resolver.answer("open.test", "A")).secure
            for _ in range(2):
                with pytest.raises(NoRecord) as none:
                    await resolver.answer("safe.test", "MX")
                with pytest.raises(NoSuchName) as missing:
                    await resolver.answer("x.safe.test", "MX")
                assert none.value.secure and missing.value.secure
        assert not (await Resolver([dns.server], dnssec=False).answer("safe.test", "A")).secure


def test_servers_elsewhere_are_not_trusted_unless_it_is_set() -> None:
    assert Resolver(["127.0.0.1:53", "[::1]:53"]).validates
    assert not Resolver(["127.0.0.1:53", "192.0.2.1:53"]).validates
    assert not Resolver(["127.0.0.11:53"]).validates  # Docker's: whoever answers it could claim to have validated
    assert Resolver(["192.0.2.1:53"], dnssec=True).validates
