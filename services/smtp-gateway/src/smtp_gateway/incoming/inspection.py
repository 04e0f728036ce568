"""The step at the final dot for mail from outside: examine it, decide, and stamp it."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from msgspec.structs import replace

from mailkit.mail.reply import Reply
from mailkit.net.dns import Resolver
from queue_worker_api.wire import MailVerdict, Stamp
from smtp_gateway import metrics, replies
from smtp_gateway.config import GatewaySettings
from smtp_gateway.incoming import verdicts
from smtp_gateway.incoming.counted import counted
from smtp_gateway.incoming.examine import MessageEnvelope, examine
from smtp_gateway.incoming.large import ON_THE_LOOP, LargeHeaders
from smtp_gateway.incoming.policy import DmarcDecision, DmarcPolicy
from smtp_gateway.incoming.questions import MailQuestions
from smtp_gateway.policy.consulted import Note

#: Where mail is filed that is taken for spam (RFC 6154), and the keyword that it gets.
JUNK, JUNK_FLAG = "\\Junk", "$Junk"


@dataclass(frozen=True, slots=True)
class Inspected:
    """The result. `refusal`: the reply to the final dot, None to go on; `field`: our Authentication-Results; `stamp`: for the queue.

    `results` and `consequence` are what is counted of live mail.
    """

    refusal: Reply | None
    field: bytes
    stamp: Stamp
    results: Collection[tuple[str, str]] = ()
    consequence: str = "none"

    def count(self, seconds: float) -> None:
        """Count the results and the `seconds` that they took; of a message that was not inspected there is nothing to count."""
        if not self.results:
            return
        for method, result in self.results:
            metrics.VERDICTS_OF[method, result].inc()
        metrics.CONSEQUENCES.labels(self.consequence).inc()
        metrics.INSPECTION_SECONDS.observe(seconds)


UNINSPECTED = Inspected(None, b"", Stamp())


class Inspection:
    """Inspects mail from outside. `now`: seconds since 1970. Raises ConfigError for malformed settings."""

    def __init__(self, settings: GatewaySettings, resolver: Resolver, now: Callable[[], float] = time.time) -> None:
        self._policy = DmarcPolicy(settings)
        self._questions = MailQuestions(resolver)
        self._large = LargeHeaders()
        self._host = settings.helo_name
        self._reports = settings.dmarc_reports
        self._now = now

    async def inspect(
        self, envelope: MessageEnvelope, header: bytes, message: bytes, note: Note, *, utf8: bool
    ) -> Inspected:
        """Inspect a message, which begins with `header`. `note`: gets each verdict; `utf8`: it came with SMTPUTF8."""
        start = len(header) + (2 if message.startswith(b"\r\n", len(header)) else 0)
        resolver = self._questions.about(envelope.client)
        how = examine if len(header) <= ON_THE_LOOP else self._large.examine
        found = await how(envelope, header, message[start:], resolver, self._now(), every=self._reports)
        decision = self._policy.decide(found, envelope.client, limited=bool(resolver.limited))
        made = verdicts.verdicts(found, decision)
        for each in made:
            note(each.method, False, result=each.result, domain=each.domain, reason=each.reason, record=each.record)
        refusal = _refusal(decision)
        note("dmarc_policy", refusal is not None, action=decision.consequence, domain=decision.domain)
        junk = decision.consequence == "junk"
        told = counted(found, decision, header) if self._reports else []
        return Inspected(
            refusal,
            verdicts.field(self._host, found, envelope.mail_from, utf8=utf8),
            Stamp(made, JUNK if junk else "", [JUNK_FLAG] if junk else [], decision.failed, told),
            verdicts.results(found),
            "trusted" if decision.forwarder else decision.consequence,
        )


def stamped(stamp: Stamp, verdict: MailVerdict, *, junk: bool) -> Stamp:
    """Return a stamp with a further verdict, and if `junk` for the Junk folder."""
    more = {"folder": JUNK, "flags": [JUNK_FLAG]} if junk else {}
    return replace(stamp, verdicts=[*stamp.verdicts, verdict], **more)


def _refusal(decision: DmarcDecision) -> Reply | None:
    if decision.consequence == "refuse":
        return replies.fails_dmarc(decision.domain)
    return replies.FROM_DNS_TROUBLE if decision.consequence == "defer" else None
