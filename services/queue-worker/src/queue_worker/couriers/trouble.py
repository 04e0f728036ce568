"""The result that a reply or a failure means: delivered, deferred, failed or in doubt, and the text that says why."""

from enum import IntEnum

from queue_worker.couriers.replies import RemoteReply
from queue_worker.models import Claim, Outcome, Result
from queue_worker.tls.policies import NO_REQUIRETLS
from queue_worker.tls.results import INVALID

NO_CONNECTION = "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)"  # S9

#: Replies to RCPT that concern that mailbox (RFC 5321 4.2.3); other refusals have other reasons.
_NO_SUCH_USER = {550, 551, 553}


class Significance(IntEnum):
    """How significant a host's failure is; of several hosts' failures the most significant one is reported."""

    unfit = -1
    unreachable = 0
    lost = 1
    refused = 2
    tls = 3
    local = 4


class Trouble(Exception):
    """A conversation that cannot begin or continue: the next host is tried, and after the last the mail is deferred."""

    def __init__(
        self,
        status: str,
        text: str,
        host: str | None = None,
        diagnostic: str | None = None,
        significance: Significance = Significance.unreachable,
        failure: str = "",
    ) -> None:
        super().__init__(text)
        self.failure = failure
        """The failure type of RFC 8460 4.3, if it is one of TLS."""
        self.status, self.text = status, text
        self.host, self.diagnostic, self.significance = host, diagnostic, significance


def worse(old: Trouble | None, new: Trouble) -> Trouble:
    """Return the more significant of the two; of equals the later."""
    return old if old is not None and old.significance > new.significance else new


def no_connection() -> Trouble:
    """Return the trouble when no address accepted a connection (S9). There is no reply of a remote host to name."""
    return Trouble("4.4.1", NO_CONNECTION)


def no_source(address: str) -> Trouble:
    """Return the trouble when this machine does not have the source address of a route, which its operator can repair."""
    text = f"The source address {address} is not an address of this machine. (#4.3.5)"
    return Trouble("4.3.5", text, None, None, Significance.local)


def tls_failed(host: str, error: str, reply: RemoteReply | None = None, failure: str = INVALID) -> Trouble:
    """Return the trouble when STARTTLS was offered and TLS failed (S11). Plain text to that host never follows.

    4.7.5 is RFC 3463's cryptographic failure, in the class of transient failures: the host's operator can repair it.
    """
    text = f"TLS not available: connect failed: {error}"
    return Trouble("4.7.5", text, host, reply.text if reply else None, Significance.tls, failure)


def no_requiretls(host: str) -> Trouble:
    """Return the trouble when the host does not offer REQUIRETLS to a message that needs it. If no host may, it is returned (RFC 8689 4.2)."""
    text = f"{NO_REQUIRETLS}, and {host} does not offer it. (#5.7.30)"
    return Trouble("5.7.30", text, host, None, Significance.unfit)


def refused_session(host: str, said: str, reply: RemoteReply) -> Trouble:
    """Return the trouble when the host refused the greeting, EHLO or HELO, or closed the session with 421.

    A 5xx here concerns this host, not the mail (RFC 5321 3.1: 554 as a greeting means no service here), so it defers
    as well.
    """
    text = transcript(host, said, reply)
    return Trouble("4" + reply.status[1:], text, host, reply.text, Significance.refused)


def lost(host: str, why: str) -> Trouble:
    """Return the trouble when the connection was lost before the final dot."""
    return Trouble("4.4.2", f"The connection to {host} was lost: {why}. (#4.4.2)", host, None, Significance.lost)


class Busy(Trouble):
    """The address has not answered yet and allows no more connections until it does: nothing was tried."""


def silent(host: str, why: str) -> Trouble:
    """Return the trouble when the host accepted the connection and sent nothing, which counts as no connection."""
    return Trouble("4.4.2", f"The connection to {host} was lost: {why}. (#4.4.2)", host)


def local(why: str) -> Trouble:
    """Return the trouble when the failure is ours: the message could not be read, or there is a bug."""
    return Trouble("4.3.0", f"{why} (#4.3.0)", None, None, Significance.local)


def transcript(host: str, said: str, reply: RemoteReply, last: str = "") -> str:
    """Return the text of S13: the host, the command it was sent, and every line of its reply."""
    lines = [f"while talking to {host}.:"]
    if said:
        lines.append(f">>> {said}")
    lines += [f"<<< {line}" for line in reply.lines]
    if last:
        lines.append(last)
    return "\n".join(lines)


def of_recipient(recipient: Claim, host: str, said: str, reply: RemoteReply, tls: str | None) -> Result:
    """Return the result of a refusal (4xx or 5xx) for one recipient. An unexpected 2xx or 3xx defers it with 4.5.0."""
    if reply.code >= 500:
        status, last = reply.status, ""
        if said.startswith("RCPT"):
            user = reply.code in _NO_SUCH_USER
            last = f"{reply.code} <{recipient.address}>... {'User unknown' if user else 'Service unavailable'}"
            if user and status == "5.0.0":
                status = "5.1.1"
        text = transcript(host, said, reply, last)
        return Result(recipient, Outcome.failed, status, text, host, reply.text, tls)
    status = reply.status if reply.code >= 400 else "4.5.0"
    return Result(recipient, Outcome.deferred, status, transcript(host, said, reply), host, reply.text, tls)


def too_many(reply: RemoteReply) -> bool:
    """Return whether a refusal of RCPT means too many recipients in the transaction (RFC 5321 4.5.3.1.10: 452, or 552).

    Valid only after an accepted recipient. An enhanced status code about the mailbox, the system or a policy means
    something else (RFC 3463: x.2.x, x.3.x for 452 and 5.3.4, x.7.x).
    """
    status = reply.status
    if reply.code not in (452, 552) or status[1:4] in (".2.", ".7."):
        return False
    return status != "5.3.4" if reply.code == 552 else status[1:4] != ".3."


def of_dot(recipient: Claim, host: str, reply: RemoteReply, tls: str | None, passed: bool = False) -> Result:
    """Return the result of a reply to the final dot. `passed`: see Result. A 3xx is not valid there: whether the host has the mail is unknown."""
    if 200 <= reply.code < 300:
        return Result(recipient, Outcome.delivered, reply.status, reply.text, host, reply.text, tls, passed=passed)
    if reply.code < 400:
        return in_doubt(recipient, host, f"it said {reply.text!r}")
    return of_recipient(recipient, host, ".", reply, tls)


def in_doubt(recipient: Claim, host: str, why: str) -> Result:
    """Return the result when the final dot was sent and no reply came (decision 6)."""
    text = f"{host} may have taken the message, its answer did not come: {why}. (#4.4.2)"
    return Result(recipient, Outcome.in_doubt, "4.4.2", text, host)


def unable(recipient: Claim, host: str, why: str) -> Result:
    """Return the result when the address cannot be sent to this host: `why` is "utf8" (RFC 6531 3.4) or "path" (malformed)."""
    if why == "utf8":
        text = f"SMTPUTF8 is required for <{recipient.address}>, but was not offered by {host}. (#5.6.7)"
        return Result(recipient, Outcome.failed, "5.6.7", text, host)
    return Result(recipient, Outcome.failed, "5.1.3", "The address cannot be written in SMTP. (#5.1.3)")


def deferred(recipient: Claim, found: Trouble) -> Result:
    reached = found.significance is not Significance.unreachable
    outcome = Outcome.failed if found.significance is Significance.unfit else Outcome.deferred
    return Result(recipient, outcome, found.status, found.text, found.host, found.diagnostic, reached=reached)


def postponed(recipient: Claim) -> Result:
    """Return the result when nothing was tried and the recipient is to be tried again soon."""
    return Result(recipient, Outcome.postponed, "", "", reached=False)


def returned(recipient: Claim) -> Result:
    """Return the result when nothing was done for the recipient."""
    return Result(recipient, Outcome.returned, "", "", reached=False)
