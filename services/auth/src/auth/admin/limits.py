"""What a plan limits, and the requests and records of plans and customers (docs/decisions/0114)."""

import json
import unicodedata
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from auth.admin.questions import Question
from mailkit.errors import BadRequest
from mailkit.postgres.rows import Row

#: Longest name of a customer or plan (characters).
LONGEST_NAME = 100
#: The largest of all figures: more than any column of bytes that is compared with one holds, and less than 2^53, as JSON has it.
_MOST = 10**15
_Count = Annotated[int | None, Field(ge=0, le=_MOST)]
_Rate = Annotated[int | None, Field(ge=0, le=10**9)]
_Days = Annotated[int | None, Field(ge=0, le=36_500)]


class PlanLimits(Question):
    """What the domains of a plan's customers may have; null: no limit of the plan's. Fields of vpopmail have its meaning."""

    mailboxes: _Count = Field(default=None, description="of a domain, with postmaster's (vpopmail: maxpopaccounts)")
    forwards: _Count = Field(default=None, description="of a domain, those with a target elsewhere (maxforwards)")
    groups: _Count = Field(
        default=None, description="of a domain, aliases and groups: all targets are its own (maxaliases)"
    )
    autoresponders: _Count = Field(default=None, description="of a domain (maxautoresponders)")
    lists: _Count = Field(default=None, description="of a domain (maxmailinglists); kept, there are no mailing lists")
    domain_quota: _Count = Field(
        default=None, description="bytes that the quotas of a domain's mailboxes may be together (quota)"
    )
    domain_messages: _Count = Field(
        default=None, description="messages that those of its mailboxes may be together (maxmsgcount)"
    )
    quota: _Count = Field(
        default=None, description="bytes, of a mailbox for which none is given (default_quota); 0: no quota"
    )
    quota_most: _Count = Field(
        default=None, description="bytes, the largest that may be set; 0: no quota may be set, too"
    )
    messages: _Count = Field(default=None, description="messages that a mailbox may hold (default_maxmsgcount)")
    messages_per_minute: _Rate = Field(default=None, description="that a mailbox may relay")
    messages_per_hour: _Rate = Field(default=None, description="that a mailbox may relay")
    messages_per_day: _Rate = Field(default=None, description="that a mailbox may relay")
    recipients_per_minute: _Rate = Field(default=None, description="that a mailbox may relay to")
    recipients_per_hour: _Rate = Field(default=None, description="that a mailbox may relay to, instead of the setting")
    recipients_per_day: _Rate = Field(default=None, description="that a mailbox may relay to")
    pop3: bool = Field(default=True, description="logins by POP3 (disable_pop)")
    imap: bool = Field(default=True, description="logins by IMAP (disable_imap)")
    smtp_auth: bool = Field(default=True, description="logins by SMTP (disable_smtp)")
    open_smtp: bool = Field(default=True, description="a login gives a grant (S2)")
    relay: bool = Field(
        default=True, description="mail to addresses elsewhere is taken at all (disable_external_relay)"
    )
    password_change: bool = Field(default=True, description="by others than the operator (disable_password_changing)")
    webmail: bool = Field(default=True, description="kept, there is no webmail here (disable_webmail)")
    dialup: bool = Field(default=True, description="kept, there is no dial-up here (disable_dialup)")
    maildrop: bool = Field(default=True, description="kept, no programs are run (disable_maildrop)")
    spam_filter: bool = Field(default=True, description="kept (disable_spamassassin)")
    delete_spam: bool = Field(default=False, description="kept (delete_spam)")
    login_delay: Annotated[int | None, Field(ge=0, le=86_400)] = Field(
        default=None, description="seconds between checks by POP3 (P4); null: the setting"
    )
    expire: _Days = Field(default=None, description="days that CAPA says mail is kept at least; null: NEVER")
    trash_days: _Days = Field(default=None, description="days that mail stays in \\Trash")
    junk_days: _Days = Field(default=None, description="days that mail stays in \\Junk")


class CustomerPlan(BaseModel):
    """A plan."""

    id: UUID
    name: str
    limits: PlanLimits
    customers: int = Field(description="who have it")
    created_at: datetime


class NewPlan(Question):
    name: str
    limits: PlanLimits = Field(default_factory=lambda: PlanLimits())


class SetPlan(Question):
    """The fields that are given are set, null as well; others stay."""

    limits: PlanLimits


class Customer(BaseModel):
    """A customer, to whom domains belong."""

    id: UUID
    name: str
    plan: str | None
    domains: int
    created_at: datetime


class NewCustomer(Question):
    name: str
    plan: str | None = None


class SetCustomer(Question):
    """`plan` null: none, no limits."""

    plan: str | None


class SetDomainCustomer(Question):
    """`customer` null: the operator's own."""

    customer: str | None


def plan_of(row: Row) -> CustomerPlan:
    """Return the record of a row of `customers.sql`."""
    return CustomerPlan(**{**row, "limits": limits_of(row["limits"])})


def limits_of(stored: str | None) -> PlanLimits:
    """Return the limits of a row's JSON; a newer release's fields are left out."""
    found: dict[str, Any] = json.loads(stored) if stored else {}
    return PlanLimits(**{name: value for name, value in found.items() if name in PlanLimits.model_fields})


def proper_name(text: str) -> str:
    """Return the name of a customer or plan in NFC. Raises BadRequest."""
    name = unicodedata.normalize("NFC", text[: LONGEST_NAME + 1]).strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name[0].isalnum() or not name.isprintable() or "/" in name:
        raise BadRequest(
            f"a name of a customer or plan has 1 to {LONGEST_NAME} characters, begins with a letter or digit, and has no /"
        )
    return name
