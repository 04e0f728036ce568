"""What a plan limits, and the bounds of quotas (docs/decisions/0114). Pure functions."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from auth_api.wire import NO_QUOTA
from mailkit.errors import BadRequest, Conflict

#: The largest of all figures: more than any column of bytes that is compared with one holds, and less than 2^53, as JSON has it.
_MOST = 10**15
_Count = Annotated[int | None, Field(ge=0, le=_MOST)]
_Rate = Annotated[int | None, Field(ge=0, le=10**9)]
_Days = Annotated[int | None, Field(ge=0, le=36_500)]


class PlanLimits(BaseModel):
    """What the domains of a plan's customers may have; null: no limit of the plan's. Fields of vpopmail have its meaning."""

    model_config = ConfigDict(extra="forbid")

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


@lru_cache(maxsize=10_000)
def limits_of(stored: str | None) -> PlanLimits:
    """Return the limits of a row's JSON, None: no plan; a newer release's fields are left out."""
    found: dict[str, Any] = json.loads(stored) if stored else {}
    return PlanLimits(**{name: value for name, value in found.items() if name in PlanLimits.model_fields})


@dataclass(frozen=True, slots=True)
class Quotas:
    """The bounds of quotas and the default one, in octets (P2); `most` 0: there is no upper bound, and mailboxes without a quota."""

    least: int
    most: int
    default: int

    def chosen(self, asked: int | None, limits: PlanLimits) -> int:
        """Return the quota to store; `asked` None: the plan's default, 0: none. Raises BadRequest if the plan or a bound forbids it."""
        if asked is None:
            asked = self.default if limits.quota is None else limits.quota
            return asked or NO_QUOTA
        most = self.most if limits.quota_most is None else limits.quota_most
        if (asked == 0 and most == 0) or self.least <= asked <= (most or NO_QUOTA - 1):
            return asked or NO_QUOTA
        upper = f"to {_size(most)} ({self.least} to {most} bytes)" if most else f"({self.least} bytes)"
        raise BadRequest(f"a mailbox holds from {_size(self.least)} {upper}; {asked} bytes are outside")


@dataclass(frozen=True, slots=True)
class Rates:
    """What an account may relay: messages in any minute, hour and day, and recipients; None: no limit."""

    messages_per_minute: int | None
    messages_per_hour: int | None
    messages_per_day: int | None
    recipients_per_minute: int | None
    recipients_per_hour: int | None
    recipients_per_day: int | None


def rates_of(limits: PlanLimits, per_hour: int) -> Rates | None:
    """Return the rates of a plan, with the setting's recipients `per_hour` where it has none; None if it limits no rate."""
    figures = [getattr(limits, name) for name in Rates.__slots__]
    if all(figure is None for figure in figures):
        return None
    if limits.recipients_per_hour is None:
        figures[4] = per_hour or None
    return Rates(*figures)


@dataclass(frozen=True, slots=True)
class DomainLimits:
    """The limits of a domain, whose plan is `plan`; "": it has none."""

    domain: str
    plan: str
    limits: PlanLimits

    def refuse(self, most: int | None, needed: int, what: str) -> None:
        """Raise Conflict if the domain would have more than `most`; None: no limit."""
        if most is not None and needed > most:
            raise Conflict(f"plan {self.plan} allows {self.domain} {most} {what}, and this needs {needed}")


def may_grant(limits: PlanLimits) -> bool:
    """Return whether a login gives a grant (S2), which is of use for relaying only."""
    return limits.open_smtp and limits.relay


def may_relay(how: str, limits: PlanLimits) -> bool:
    """Return whether mail to addresses elsewhere is taken from a client by `auth` or `grant`."""
    return limits.relay and (limits.smtp_auth if how == "auth" else limits.open_smtp)


def may_log_in(protocol: str, limits: PlanLimits) -> bool:
    """Return whether logins by `pop3`, `imap` or `smtp` are on."""
    return {"pop3": limits.pop3, "imap": limits.imap, "smtp": limits.smtp_auth}[protocol]


def shown(quota: int) -> int:
    """Return a stored quota as the JSON API has it: 0 for none."""
    return 0 if quota >= NO_QUOTA else quota


def _size(octets: int) -> str:
    for unit, size in (("GB", 1 << 30), ("MB", 1 << 20)):
        if octets >= size and octets % size == 0:
            return f"{octets // size} {unit}"
    return f"{octets} bytes"
