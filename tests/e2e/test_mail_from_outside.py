"""Mail from outside that fails DMARC is in the Junk folder, and the trace and a simulation say why (docs/decisions/0090)."""

import secrets

from tests.support.clients import STRANGER, imap, inbox, smtp
from tests.support.mail import message
from tests.support.run import Run, wait_for
from tests.support.world import World

FORGED = b"Authentication-Results: %s; dmarc=pass\r\n"


def test_forged_mail_is_filed_as_junk_and_the_trace_says_why(run: Run, world: World) -> None:
    bank = f"bank-{secrets.token_hex(4)}.example"
    world.dns.set(bank, MX=[f"10 mx.{bank}"], TXT=['"v=spf1 ip4:192.0.2.1 -all"'])
    world.dns.set(f"_dmarc.{bank}", TXT=['"v=DMARC1; p=reject"'])
    user = run.mailbox(run.domain())
    with smtp(run, STRANGER) as client:
        host = client.ehlo_resp.split()[0] if client.ehlo_resp else b""
        client.mail(f"x@{bank}")
        client.rcpt(user.address)
        code, text = client.data(FORGED % host + message(f"ann@{bank}", user.address))
    assert code == 250, text

    def junk() -> tuple[bytes, bytes] | None:
        with imap(run, user) as reader:
            reader.select("Junk", readonly=True)
            _, found = reader.fetch("1", "(FLAGS BODY.PEEK[])")
            return found[0] if isinstance(found[0], tuple) else None

    flags, raw = wait_for(junk)
    assert b"$Junk" in flags and inbox(run, user) == []
    header = raw.partition(b"\r\n\r\n")[0]
    assert header.count(b"Authentication-Results:") == 1 and b"dmarc=fail" in header and b"dmarc=pass" not in header
    told = run.cli_process("trace", text.split()[-1].decode()).stdout
    assert f'dmarc=fail  {bank}  no aligned domain; policy reject  _dmarc.{bank} TXT "v=DMARC1; p=reject"' in told
    case = ("--client", "192.0.2.9", "--from", f"x@{bank}", "--rcpt", user.address, "--header", "-")
    assert "passed dmarc_policy  action=junk" in run.cli_process("simulate", *case, text=f"From: ann@{bank}\n").stdout
