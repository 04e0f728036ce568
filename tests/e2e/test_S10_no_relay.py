"""S10 and "No route tricks": nothing a stranger can write opens the relay."""

import pytest

from tests.support.clients import STRANGER, smtp
from tests.support.run import Run

S10 = (550, b"5.7.1 Sorry, that domain isn't allowed to be relayed thru this MTA")
S14 = (550, b"5.1.1 Sorry, no mailbox here by that name. vpopmail (#5.1.1)")


@pytest.mark.parametrize(
    ("recipient", "answer"),
    [
        ("<u@far.example>", S10),
        ("<@LOCAL:u@far.example>", S10),
        ("<@LOCAL,@other.example:u@far.example>", S10),
        ("<u@far.example.>", S10),
        ("<u@[192.0.2.7]>", S10),
        ("<u@[IPv6:2001:db8::1]>", S10),
        ("<u@[127.0.0.1]>", S10),
        ("<a%far.example@LOCAL>", S14),
        ("<far.example!a@LOCAL>", S14),
        ('<"a@far.example"@LOCAL>', S14),
        ("<a@far.example@LOCAL>", None),
        ('<"a%far.example"@LOCAL>', S14),
        ("<nobody@LOCAL.>", S14),
        ("<nobody@LoCaL>", S14),
    ],
)
def test_every_form_of_foreign_recipient(run: Run, recipient: str, answer: tuple[int, bytes] | None) -> None:
    domain = run.domain()
    with smtp(run, STRANGER) as client:
        client.mail("")
        reply = client.docmd("RCPT", f"TO:{recipient.replace('LOCAL', domain).replace('LoCaL', domain.title())}")
        if answer is None:
            assert 500 <= reply[0] < 600
        else:
            assert reply == answer
