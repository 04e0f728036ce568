"""What the limits of a vpopmail domain and the switches of its accounts become: fields of a plan (docs/decisions/0116)."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from vpopmail.limits import PERMISSIONS, SWITCHES
from vpopmail.vpasswd import Flags

#: Counts of `.qmailadmin-limits`; -1: no limit.
_COUNTS = {
    "maxpopaccounts": "mailboxes",
    "maxaliases": "groups",
    "maxforwards": "forwards",
    "maxautoresponders": "autoresponders",
    "maxmailinglists": "lists",
}
#: Sizes and numbers of messages, and octets of their unit; 0 and below: no limit.
_SIZES = {
    "quota": ("domain_quota", 1 << 20),
    "maxmsgcount": ("domain_messages", 1),
    "default_quota": ("quota", 1),
    "default_maxmsgcount": ("messages", 1),
}
#: Bits of pw_gid that turn something off.
_OFF = {
    Flags.NO_POP: "pop3",
    Flags.NO_IMAP: "imap",
    Flags.NO_SMTP: "smtp_auth",
    Flags.NO_RELAY: "relay",
    Flags.NO_PASSWORD_CHANGE: "password_change",
    Flags.NO_WEBMAIL: "webmail",
    Flags.NO_DIALUP: "dialup",
    Flags.NO_MAILDROP: "maildrop",
    Flags.NO_SPAMASSASSIN: "spam_filter",
}
#: The largest figure that a plan takes.
_MOST = 10**15


def common_flags(flags: Sequence[Flags], limits: dict[str, int]) -> Flags:
    """Return the bits that all accounts have, of a domain without accounts those that its limits set."""
    if not flags:
        return Flags(sum(bit for name, bit in SWITCHES.items() if limits.get(name)))
    common = flags[0]
    for each in flags[1:]:
        common &= each
    return common


def plan_limits(limits: dict[str, int], common: Flags) -> dict[str, Any]:
    """Return the fields of the plan, empty if nothing is limited."""
    found: dict[str, Any] = {}
    for name, field in _COUNTS.items():
        if 0 <= limits.get(name, -1) <= _MOST:
            found[field] = limits[name]
    for name, (field, unit) in _SIZES.items():
        if 0 < limits.get(name, 0) * unit <= _MOST:
            found[field] = limits[name] * unit
    found |= {field: False for bit, field in _OFF.items() if bit & common}
    return found | ({"delete_spam": True} if Flags.DELETE_SPAM & common else {})


def plan_name(limits: dict[str, Any]) -> str:
    """Return the name of the plan with these fields: the same for all domains that have the same."""
    said = json.dumps(limits, sort_keys=True)
    return f"vpopmail-{hashlib.sha256(said.encode()).hexdigest()[:8]}"


def has_permissions(limits: dict[str, int]) -> bool:
    """Return whether the limits forbid something to the domain's administrator, which a plan does not."""
    return any(limits.get(name) for name in PERMISSIONS)
