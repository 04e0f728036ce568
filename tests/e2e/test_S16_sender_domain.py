"""S16: a sender whose domain cannot be found in DNS; never for <>, nor for local domains."""

from tests.support.clients import STRANGER, smtp
from tests.support.run import Run
from tests.support.world import World


def test_a_domain_that_does_not_exist(run: Run, world: World) -> None:
    with smtp(run, STRANGER) as client:
        assert client.mail("user@gone.example") == (550, b"5.1.8 Non-existing DNS_MX: MAIL FROM:<user@gone.example>")


def test_a_space_at_the_end_of_the_address(run: Run, world: World) -> None:
    with smtp(run, STRANGER) as client:
        code, text = client.docmd("MAIL", f"FROM:<user@{world.far_domain} >")
        assert (code, text) == (550, f"5.1.8 Non-existing DNS_MX: MAIL FROM:<user@{world.far_domain} >".encode())


def test_dns_trouble_is_temporary(run: Run, world: World) -> None:
    world.dns.fail("trouble.example", "SERVFAIL")
    with smtp(run, STRANGER) as client:
        code, text = client.mail("user@trouble.example")
        assert (code, text[:5]) == (451, b"4.4.3")


def test_the_null_sender_and_local_domains_are_not_looked_up(run: Run, world: World) -> None:
    user = run.mailbox(run.domain())
    with smtp(run, STRANGER) as client:
        assert client.mail("")[0] == 250
        client.rset()
        assert client.mail(user.address)[0] == 250
        client.rset()
        assert client.mail(f"someone@{world.far_domain}")[0] == 250
    assert world.dns.asked(user.domain, "MX") == 0
