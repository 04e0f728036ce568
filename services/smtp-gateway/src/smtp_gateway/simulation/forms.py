"""A case to simulate, and the result, as JSON."""

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

MOST_RECIPIENTS = 100
_LONGEST = 1000


class Case(BaseModel):
    """A client and its message. `size`: octets, declared in MAIL (none if absent); `header`: its lines, with LF or CR LF."""

    client: str = Field(max_length=_LONGEST)
    """The client's IP address."""
    listener: Literal["smtp", "submission", "smtps"] = "smtp"
    direct: bool = False
    """By the direct port beside a proxied one (POSTRIDER_DIRECT_PORT_OFFSET)."""
    tls: bool = True
    """The client uses STARTTLS where it is offered; `smtps` is always under TLS."""
    helo: str = Field(default="client.example", max_length=_LONGEST)
    auth: UUID | None = None
    """The mailbox that logs in by SMTP AUTH."""
    grant: UUID | None = None
    """The mailbox of a grant that the client's address is supposed to have; without `auth` and `grant` its real ones count."""
    mail_from: str = Field(max_length=_LONGEST)
    recipients: list[str] = Field(min_length=1, max_length=MOST_RECIPIENTS)
    size: int | None = Field(default=None, ge=0, le=10**15)
    header: str = Field(default="", max_length=65536)


class ConsultedRule(BaseModel):
    """One rule that was consulted: an id of docs/contract.md or the name of a limit, whether it refused, and its data."""

    rule: str
    refused: bool
    data: dict[str, Any]


class Step(BaseModel):
    """One command, the reply to it (lines are separated by LF), and the rules that were consulted, in order."""

    command: str
    reply: str
    rules: list[ConsultedRule]


class Destination(BaseModel):
    """A final target: a mailbox here, or (`mailbox` null) an address elsewhere. `via`: the forward that leads to it, or "".

    `sender`: the envelope sender of a copy that a forward sends elsewhere, "" for that of MAIL (docs/decisions/0093).
    """

    address: str
    recipient: str
    mailbox: UUID | None
    via: str
    sender: str = ""


class Simulated(BaseModel):
    """The dialogue, and where the message would go. `accepted`: the final dot would be answered 250."""

    steps: list[Step]
    accepted: bool
    account: UUID | None
    """The mailbox whose right to relay is used."""
    destinations: list[Destination]
