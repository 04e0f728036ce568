"""Our own bounces are signed with the keys of the HELO domain (docs/decisions/0094)."""

import dkim

from tests.support.clients import STRANGER, smtp
from tests.support.mail import message
from tests.support.run import Run, wait_for
from tests.support.world import World


def test_a_bounce_to_another_provider_is_signed_once_the_helo_domain_has_keys(run: Run, world: World) -> None:
    domain, far, origin = run.domain(), world.remote(), world.remote()
    far.sink.behaviour.rcpt = lambda address: ["550 5.1.1 no such user"]
    run.cli("forward", "add", f"out@{domain}", f"x@{far.domain}")

    def bounce(count: int) -> bytes:
        with smtp(run, STRANGER) as client:
            client.sendmail(f"joe@{origin.domain}", [f"out@{domain}"], message("a@far.example", "out"))
        wait_for(lambda: len(origin.messages()) == count)
        return origin.messages()[-1].data

    with smtp(run, STRANGER) as client:
        host = (client.ehlo_resp or b"").decode().split()[0]
    run.cli("domain", "add", host)
    keys = run.cli("domain", "dkim", "show", host)
    for key in keys:
        world.dns.set(key["record_name"], TXT=[key["zone_text"]])
    run.cli("domain", "dkim", "check", host)
    try:  # auth is asked again a few seconds after it had no keys, if another test had a bounce
        wait_for(lambda: b"DKIM-Signature: " in bounce(len(origin.messages()) + 1), 30)
        records = {f"{key['record_name']}.": key["record"].encode() for key in keys}
        signed = dkim.DKIM(origin.messages()[-1].data)
        assert [signed.verify(n, dnsfunc=lambda name, timeout=5: records[name.decode()]) for n in (0, 1)] == [True] * 2
    finally:
        run.cli("domain", "dkim", "rm", host, "--yes")
