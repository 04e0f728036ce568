"""Why mail is given up, in a dozen classes for the metric, by RFC 3463 status; and which refusals are hard bounces."""

from queue_worker.models import SUPPRESSED, Result

#: Exact statuses without their class digit, before the subjects below.
_EXACT = {
    ".1.1": "unknown_user",
    ".1.6": "unknown_user",
    ".1.2": "unknown_domain",
    ".1.10": "unknown_domain",
    ".4.4": "unknown_domain",
    ".2.2": "mailbox_full",
    ".2.3": "too_large",
    ".3.4": "too_large",
    ".4.6": "loop",
    ".7.5": "tls",
}
_SUBJECTS = {".1": "address", ".2": "mailbox", ".4": "network", ".6": "content", ".7": "policy"}
#: A host says that the address does not exist, moved, or is disabled.
_HARD = frozenset({"5.1.1", "5.1.6", "5.2.1"})


def class_of(result: Result) -> str:
    """Return the class of a result that gives a recipient up, one of `metrics.BOUNCE_CLASSES`."""
    if result.text.startswith(SUPPRESSED):
        return "suppressed"
    tail = result.status[1:]
    return _EXACT.get(tail) or _SUBJECTS.get(tail.rpartition(".")[0]) or "other"


def is_hard(result: Result) -> bool:
    """Return whether a remote host itself said that the address takes no mail, which trying again does not change."""
    return result.claim.mailbox_id is None and result.diagnostic is not None and result.status in _HARD
