"""Mail of a customer's domain is signed with its keys, by SMTP AUTH and by OPEN-SMTP (docs/decisions/0088, 0111)."""

import dkim
import pytest

from tests.support.clients import OFFICE, STRANGER, pop3, smtp
from tests.support.mail import message
from tests.support.run import Run, wait_for
from tests.support.world import World


@pytest.mark.parametrize("by", ["auth", "grant"])
def test_what_leaves_for_another_provider_verifies_with_both_keys(run: Run, world: World, by: str) -> None:
    domain, far = run.domain(), world.remote()
    user = run.mailbox(domain)
    keys = run.cli("domain", "dkim", "show", domain) or run.cli("domain", "dkim", "make", domain)
    for key in keys:
        world.dns.set(key["record_name"], TXT=[key["zone_text"]])
    run.cli("domain", "dkim", "check", domain)
    if by == "grant":
        pop3(run, user, OFFICE).quit()
    with smtp(run, STRANGER if by == "auth" else OFFICE, tls=True, login=user if by == "auth" else None) as client:
        client.sendmail(user.address, [f"x@{far.domain}"], message(user.address, "signed"))
    wait_for(lambda: len(far.messages()) == 1)
    records = {f"{key['record_name']}.": key["record"].encode() for key in keys}
    signed = dkim.DKIM(far.messages()[0].data)
    assert [signed.verify(n, dnsfunc=lambda name, timeout=5: records[name.decode()]) for n in (0, 1)] == [True] * 2
