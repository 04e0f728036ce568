"""The one place that says what a reply or a failure means: delivered, deferred, failed, in doubt, and in which words."""

from enum import IntEnum

from queue_worker.couriers.models import Outcome, RemoteRecipient, Verdict
from queue_worker.couriers.replies import RemoteReply

NO_CONNECTION = "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)"  # S9

#: RCPT answered so is about that mailbox (RFC 5321 4.2.3); other refusals have other reasons.
_NO_SUCH_USER = {550, 551, 553}


class Telling(IntEnum):
    """How much a host's failure says; of several hosts' failures the most telling one is reported."""

    unreachable = 0
    lost = 1
    refused = 2
    tls = 3
    local = 4


class Trouble(Exception):
    """A host that cannot be talked to, or no further: the next one is tried, and in the end it is deferred."""

    def __init__(
        self, status: str, text: str, host: str | None = None, diagnostic: str | None = None,
        telling: Telling = Telling.unreachable,
    ) -> None:  # fmt: skip
        super().__init__(text)
        self.status, self.text, self.host, self.diagnostic, self.telling = status, text, host, diagnostic, telling


def worse(old: Trouble | None, new: Trouble) -> Trouble:
    """The more telling of the two; of equals the later."""
    return old if old is not None and old.telling > new.telling else new


def no_connection() -> Trouble:
    """S9: no address took a connection; why is the network's business, and no reply of a remote host."""
    return Trouble("4.4.1", NO_CONNECTION)


def tls_failed(host: str, error: str, reply: RemoteReply | None = None) -> Trouble:
    """S11: STARTTLS was offered and no session came of it; never followed by plain text to that host.

    4.7.5 is RFC 3463's cryptographic failure, of the class that may pass: they can repair it.
    """
    text = f"TLS not available: connect failed: {error}"
    return Trouble("4.7.5", text, host, reply.text if reply else None, Telling.tls)


def refused_session(host: str, said: str, reply: RemoteReply) -> Trouble:
    """The greeting, EHLO or HELO was refused, or it said goodbye (421). A 5xx here is about this host, not about the mail
    (RFC 5321 3.1: 554 as a greeting means no service here), so it defers as well."""
    text = transcript(host, said, reply)
    return Trouble("4" + reply.status[1:], text, host, reply.text, Telling.refused)


def lost(host: str, why: str) -> Trouble:
    """The conversation broke before the final dot."""
    return Trouble("4.4.2", f"The connection to {host} was lost: {why}. (#4.4.2)", host, None, Telling.lost)


class Busy(Trouble):
    """The address has no slot for one more connection before it answered: nothing was tried."""


def silent(host: str, why: str) -> Trouble:
    """The host took the connection and never said a word: as good as none."""
    return Trouble("4.4.2", f"The connection to {host} was lost: {why}. (#4.4.2)", host)


def local(why: str) -> Trouble:
    """Ours, not theirs: the message could not be read, or we have a bug."""
    return Trouble("4.3.0", f"{why} (#4.3.0)", None, None, Telling.local)


def transcript(host: str, said: str, reply: RemoteReply, last: str = "") -> str:
    """S13: which host, what was said to it, and every line it answered."""
    lines = [f"while talking to {host}.:"]
    if said:
        lines.append(f">>> {said}")
    lines += [f"<<< {line}" for line in reply.lines]
    if last:
        lines.append(last)
    return "\n".join(lines)


def of_recipient(recipient: RemoteRecipient, host: str, said: str, reply: RemoteReply, tls: str | None) -> Outcome:
    """What a refusal (4xx or 5xx) means for one recipient. A 2xx or 3xx out of place is a host that is confused."""
    if reply.code >= 500:
        status, last = reply.status, ""
        if said.startswith("RCPT"):
            user = reply.code in _NO_SUCH_USER
            last = f"{reply.code} <{recipient.address}>... {'User unknown' if user else 'Service unavailable'}"
            if user and status == "5.0.0":
                status = "5.1.1"
        text = transcript(host, said, reply, last)
        return Outcome(recipient.key, Verdict.failed, status, text, host, reply.text, tls)
    status = reply.status if reply.code >= 400 else "4.5.0"
    return Outcome(recipient.key, Verdict.deferred, status, transcript(host, said, reply), host, reply.text, tls)


def too_many(reply: RemoteReply) -> bool:
    """Whether a refusal of RCPT says that the transaction has enough recipients (RFC 5321 4.5.3.1.10: 452, or 552 for it).

    Only after a recipient that was accepted. An enhanced status code about the mailbox, the system or a policy says
    otherwise (RFC 3463: x.2.x, x.3.x for 452 and 5.3.4, x.7.x).
    """
    status = reply.status
    if reply.code not in (452, 552) or status[1:4] in (".2.", ".7."):
        return False
    return status != "5.3.4" if reply.code == 552 else status[1:4] != ".3."


def of_dot(recipient: RemoteRecipient, host: str, reply: RemoteReply, tls: str | None) -> Outcome:
    """The answer to the final dot. A 3xx is no answer to it: taken or not, nobody knows."""
    if 200 <= reply.code < 300:
        return Outcome(recipient.key, Verdict.delivered, reply.status, reply.text, host, reply.text, tls)
    if reply.code < 400:
        return in_doubt(recipient, host, f"it said {reply.text!r}")
    return of_recipient(recipient, host, ".", reply, tls)


def in_doubt(recipient: RemoteRecipient, host: str, why: str) -> Outcome:
    """The final dot went out and no answer came (decision 6)."""
    text = f"{host} may have taken the message, its answer did not come: {why}. (#4.4.2)"
    return Outcome(recipient.key, Verdict.in_doubt, "4.4.2", text, host)


def unable(recipient: RemoteRecipient, host: str, why: str) -> Outcome:
    """The recipient cannot be named to this host: `why` is "utf8" (RFC 6531 3.4) or "path" (no address at all)."""
    if why == "utf8":
        text = f"SMTPUTF8 is required for <{recipient.address}>, but was not offered by {host}. (#5.6.7)"
        return Outcome(recipient.key, Verdict.failed, "5.6.7", text, host)
    return Outcome(recipient.key, Verdict.failed, "5.1.3", "The address cannot be written in SMTP. (#5.1.3)")


def deferred(recipient: RemoteRecipient, found: Trouble) -> Outcome:
    reached = found.telling is not Telling.unreachable
    return Outcome(
        recipient.key, Verdict.deferred, found.status, found.text, found.host, found.diagnostic, reached=reached
    )


def postponed(recipient: RemoteRecipient) -> Outcome:
    """Nothing was tried; it is, in a moment."""
    return Outcome(recipient.key, Verdict.postponed, "", "", reached=False)


def returned(recipient: RemoteRecipient) -> Outcome:
    """Nothing happened to it."""
    return Outcome(recipient.key, Verdict.returned, "", "", reached=False)
