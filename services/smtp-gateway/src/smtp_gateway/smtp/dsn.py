"""Parsers for the parameters of delivery status notifications (RFC 3461 4). Pure functions."""

from mailkit.mail.xtext import decode

RETS = ("FULL", "HDRS")
_EVENTS = frozenset(("SUCCESS", "FAILURE", "DELAY"))
#: RFC 3461 4.2 and 4.4, characters.
_LONGEST_ORCPT = 500
_LONGEST_ENVID = 100


def is_notify(value: str) -> bool:
    """Return whether `value`, in capitals, is NEVER or a list of events without repetitions (RFC 3461 4.1)."""
    events = value.split(",", len(_EVENTS))
    return value == "NEVER" or (_EVENTS.issuperset(events) and len(set(events)) == len(events))


def without_success(notify: str) -> str:
    """Return `notify` without SUCCESS: only a sender with a right to relay has its address vouched for (decision 73)."""
    return "NEVER" if notify == "SUCCESS" else ",".join(event for event in notify.split(",") if event != "SUCCESS")


def is_orcpt(value: str) -> bool:
    """Return whether `value` is an address type and an address in xtext (RFC 3461 4.2). Other than ASCII is not taken."""
    kind, _, address = value.partition(";")
    known = kind.isascii() and kind.replace("-", "").isalnum()
    return known and bool(address) and len(value) <= _LONGEST_ORCPT and decode(address) is not None


def is_envid(value: str) -> bool:
    """Return whether `value` is an envelope id in xtext (RFC 3461 4.4)."""
    return 0 < len(value) <= _LONGEST_ENVID and decode(value) is not None
