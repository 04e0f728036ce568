"""Requests and records of the operators' JSON API. Records carry `id`, bare addresses and ISO 8601 times."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, SecretStr

from auth.admin.questions import Question
from auth.limits import shown
from mailkit.postgres.rows import Row


class Catchall(BaseModel):
    """The catch-all of a domain (L1). `bounce`: there is none, and unknown addresses are refused (S14)."""

    kind: Literal["bounce", "mailbox", "forward"]
    mailbox: str | None = Field(default=None, description="address of the mailbox, for kind mailbox")
    targets: list[str] | None = Field(default=None, description="addresses, for kind forward")


Level = Literal["off", "log", "enforce"]
HostName = Annotated[str, Field(max_length=253, pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")]


class Identity(BaseModel):
    """Which addresses mailboxes may use in MAIL FROM and From (docs/decisions/0089).

    `level`: what is done with mail that breaks the rule, in force now; `chosen`: the operator's choice, null for the default.
    `by`: whether a mailbox may use all addresses of its domain, or only its own and those that forward to it.
    """

    level: Level
    chosen: Level | None
    by: Literal["domain", "mailbox"]


class Domain(BaseModel):
    """A domain. `state` closing: it no longer accepts mail. `mailboxes` includes postmaster's. `signing`: with DKIM."""

    id: UUID
    name: str
    state: Literal["open", "closing"]
    catchall: Catchall
    postmaster_id: UUID | None
    mailboxes: int
    created_at: datetime
    customer: str | None = Field(description="null: the operator's own")
    alias_of: str | None = Field(description="name@ here is name@ there: for mail, logins and senders")
    tags: bool = Field(description="mail for name+tag goes to name, unless the address itself exists")
    signing: bool
    identity: Identity


class SetTags(Question):
    tags: bool


class SetIdentity(Question):
    """`level` null: the default, off until the domain signs. A domain that signs is at least at log."""

    level: Level | None = None
    by: Literal["domain", "mailbox"] | None = Field(default=None, description="null: as it is")


class DkimKey(BaseModel):
    """A key for DKIM. `state` new: not used until its record was seen in the DNS; old: replaced `since` then, kept for 7 days."""

    id: UUID
    domain: str
    selector: str
    algorithm: Literal["rsa-sha256", "ed25519-sha256"]
    state: Literal["new", "active", "old"]
    record_name: str = Field(description="name of the TXT record to publish")
    record: str = Field(description="its text")
    zone_text: str = Field(description="its text as in a zone file")
    created_at: datetime
    since: datetime


class ZoneRecord(BaseModel):
    """A DNS record that should exist, and what is there (docs/decisions/0099)."""

    purpose: Literal["mx", "spf", "dkim", "dmarc", "alias", "mta-sts", "tls-rpt", "srv", "source"]
    name: str
    type: Literal["A", "AAAA", "CNAME", "MX", "PTR", "SRV", "TXT"]
    value: str = Field(description="what to publish, TXT without quotation marks; empty where only the operator knows")
    zone_text: str = Field(description="the same as in a zone file")
    needed: bool = Field(description="without it mail is lost or refused; others are advised")
    state: Literal["right", "missing", "wrong", "unknown"] = Field(
        description="unknown: the DNS could not be asked, and nothing is said about it"
    )
    found: list[str] = Field(description="at most ten records, printable")
    problems: list[str] = Field(description="what is wrong or missing and what to do, a sentence each")
    remarks: list[str] = Field(description="sentences about what is right")


class ZoneReport(BaseModel):
    """`state`: wrong if a needed record is missing or any record is wrong; unknown if a needed one could not be asked for."""

    domain: str
    state: Literal["right", "wrong", "unknown"]
    records: list[ZoneRecord]


class NewDomain(Question):
    """`alias_of`: the domain whose addresses the new one's are; it has no mailboxes of its own then, and that one's customer."""

    name: str
    alias_of: str | None = None
    customer: str | None = None


class SetCatchall(Question):
    """`mailbox` for kind mailbox, `targets` for kind forward, neither for bounce."""

    kind: Literal["bounce", "mailbox", "forward"]
    mailbox: str | None = None
    targets: list[str] | None = None


class Mailbox(BaseModel):
    """A mailbox. `state` disabled: no logins, mail is still accepted; purging: neither, it is being removed."""

    id: UUID
    address: str
    domain: str
    state: Literal["enabled", "disabled", "purging"]
    has_password: bool
    main_password: bool = Field(description="false: mail clients log in with app passwords only")
    quota_limit: int = Field(description="bytes (P2); 0: none")
    limit_version: int
    credential_version: int
    last_pop3_login: datetime | None
    created_at: datetime


class NewMailbox(Question):
    """Without `password` and `password_hash` the mailbox has no usable password."""

    address: str
    password: SecretStr | None = None
    password_hash: SecretStr | None = Field(default=None, description="a crypt hash from vpopmail, or argon2")
    quota_limit: int | None = Field(
        default=None,
        description="bytes (P2), within the plan or 25 MB to 2 GB; 0: no quota; left out: the plan's, or 1 GB",
    )


class SetPassword(Question):
    """Either `password` or `password_hash`."""

    password: SecretStr | None = None
    password_hash: SecretStr | None = Field(default=None, description="a crypt hash from vpopmail, or argon2")


class SetQuota(Question):
    quota_limit: int = Field(description="bytes (P2), within the plan or 25 MB to 2 GB; 0: no quota")


class Disable(Question):
    """`removal`: the first of the three steps of a removal; mail is refused from now on, and it cannot be undone."""

    removal: bool = False


class Forward(BaseModel):
    """A forward (L2)."""

    id: UUID
    address: str
    targets: list[str]
    keep_copy: bool
    created_at: datetime


class SetForward(Question):
    targets: list[str]
    keep_copy: bool = False


class NewForward(SetForward):
    address: str


class BadMailFrom(BaseModel):
    """An entry of badmailfrom (S12): an address or `@domain`."""

    id: UUID
    entry: str
    created_at: datetime


class NewBadMailFrom(Question):
    entry: str


class Grant(BaseModel):
    """A grant (S2): `address` may relay until `expires_at`, charged to `mailbox`."""

    id: UUID
    address: str = Field(description="the client's IP address")
    mailbox_id: UUID
    mailbox: str
    granted_at: datetime
    expires_at: datetime


def domain_of(row: Row) -> Domain:
    """Return the record of a row of `accounts.sql`."""
    kind: Any = row["catchall"] if row["catchall"] != "mailbox" or row["catchall_mailbox"] else "bounce"
    return Domain(
        id=row["id"],
        name=row["name"],
        state=row["state"],
        created_at=row["created_at"],
        catchall=Catchall(kind=kind, mailbox=row["catchall_mailbox"], targets=row["catchall_targets"]),
        postmaster_id=row["postmaster_id"],
        mailboxes=row["mailboxes"],
        customer=row["customer"],
        alias_of=row["alias_of"],
        tags=row["tags"],
        signing=row["signing"],
        identity=Identity(level=row["rule"], chosen=row["identity"], by=row["identity_by"]),
    )


def mailbox_of(row: Row) -> Mailbox:
    """Return the record of a row of `accounts.sql`."""
    return Mailbox(**{**row, "quota_limit": shown(row["quota_limit"])})
