"""The one place that says what a reply or a failure means: delivered, deferred, failed, in doubt, and in which words."""

from queue_worker.couriers.models import Outcome, RemoteRecipient, Verdict
from queue_worker.couriers.replies import RemoteReply

NO_CONNECTION = "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)"  # S9


class Trouble(Exception):
    """A host that cannot be talked to; the next one is tried."""

    def __init__(self, status: str, text: str, host: str | None = None, diagnostic: str | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.host, self.diagnostic = status, text, host, diagnostic


def no_connection() -> Trouble:
    return Trouble("4.4.1", NO_CONNECTION)


def tls_failed(host: str, error: BaseException) -> Trouble:
    """S11: deferred, never followed by plain text to that host."""
    return Trouble("4.7.5", f"TLS not available: connect failed: {error or type(error).__name__}", host)


def refused_session(host: str, said: str, reply: RemoteReply) -> Trouble:
    """The greeting, EHLO or STARTTLS was refused: the next host is tried; in the end it is deferred."""
    return Trouble("4" + reply.status[1:], transcript(host, said, reply), host, reply.text)


def lost(host: str, why: str) -> Trouble:
    """The conversation broke before the final dot."""
    return Trouble("4.4.2", f"The connection to {host} was lost: {why}. (#4.4.2)", host)


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
    if 500 <= reply.code < 600:
        last = f"{reply.code} <{recipient.address}>... User unknown" if said.startswith("RCPT") else ""
        return Outcome(
            recipient.key, Verdict.failed, reply.status, transcript(host, said, reply, last), host, reply.text, tls
        )
    status = reply.status if 400 <= reply.code < 500 else "4.5.0"
    return Outcome(recipient.key, Verdict.deferred, status, transcript(host, said, reply), host, reply.text, tls)


def of_dot(recipient: RemoteRecipient, host: str, reply: RemoteReply, tls: str | None) -> Outcome:
    """The answer to the final dot."""
    if 200 <= reply.code < 300:
        return Outcome(recipient.key, Verdict.delivered, reply.status, reply.text, host, reply.text, tls)
    return of_recipient(recipient, host, ".", reply, tls)


def in_doubt(recipient: RemoteRecipient, host: str, why: str) -> Outcome:
    """The final dot went out and no answer came (decision 6)."""
    text = f"{host} may have taken the message, its answer did not come: {why}. (#4.4.2)"
    return Outcome(recipient.key, Verdict.in_doubt, "4.4.2", text, host)


def deferred(recipient: RemoteRecipient, trouble: Trouble) -> Outcome:
    return Outcome(recipient.key, Verdict.deferred, trouble.status, trouble.text, trouble.host, trouble.diagnostic)


def returned(recipient: RemoteRecipient) -> Outcome:
    """Nothing happened to it."""
    return Outcome(recipient.key, Verdict.returned, "", "")
