"""What smtp-gateway found out about a message, as it is stored with its trace (docs/decisions/0090)."""

import json
from collections.abc import Sequence
from typing import Any

from queue_worker.models import clean
from queue_worker_api.wire import MailVerdict

#: Characters that are kept of a text, which is a sender's or a DNS server's.
MOST = 600


def as_text(verdicts: Sequence[MailVerdict]) -> str | None:
    """Return verdicts as a JSON list; None if there are none."""
    if not verdicts:
        return None
    return json.dumps(
        [{name: clean(getattr(each, name)[:MOST]) for name in each.__struct_fields__} for each in verdicts]
    )


def of_text(text: str | None) -> list[dict[str, Any]]:
    """Return the verdicts that `as_text` wrote."""
    found: list[dict[str, Any]] = json.loads(text) if text else []
    return found
