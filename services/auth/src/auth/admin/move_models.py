"""Requests and records of domains that move in (docs/decisions/0126)."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from auth.admin.models import HostName
from auth.admin.questions import Question


class OldServer(BaseModel):
    """A server of the old host: TLS from the first octet, and a certificate for this name."""

    model_config = ConfigDict(extra="forbid")

    host: HostName
    port: int = Field(ge=1, le=65535)


class SetMove(Question):
    """`networks`: the addresses from which the old host sends mail; to send it mail of its own back would be a loop."""

    imap: OldServer | None = None
    pop3: OldServer | None = None
    networks: list[Annotated[str, Field(max_length=50)]] = Field(default=[], max_length=100)


class DomainMove(BaseModel):
    """A domain that moves in. `phase` old: its mail and logins go to the old host; new: only those for which nothing is here."""

    domain: str
    phase: Literal["old", "new"]
    imap: OldServer | None
    pop3: OldServer | None
    networks: list[str]
    mailboxes: int | None = Field(description="of the domain, here; null in lists")
    made_by_login: int | None = Field(
        description="of these, made by a login at the old host since the last switch: their mail is there; null in lists"
    )
    started_at: datetime
    changed_at: datetime
