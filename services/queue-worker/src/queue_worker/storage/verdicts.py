"""What smtp-gateway found out about a message, as it is stored with its trace (docs/decisions/0090)."""

from collections.abc import Sequence
from typing import Any

import msgspec

from queue_worker_api.wire import MailVerdict

#: Characters that are kept of a text, which is a sender's or a DNS server's.
MOST = 600


def as_text(verdicts: Sequence[MailVerdict]) -> str | None:
    """Return verdicts as a JSON list, in which every control character is escaped; None if there are none."""
    if not verdicts:
        return None
    told = [{name: getattr(each, name)[:MOST] for name in each.__struct_fields__} for each in verdicts]
    return msgspec.json.encode(told).decode()


def of_text(text: str | None) -> list[dict[str, Any]]:
    """Return the verdicts that `as_text` wrote."""
    return msgspec.json.decode(text, type=list[dict[str, Any]]) if text else []
