"""Open sessions re-checked: enabled, and the password unchanged (decision 15)."""

from collections.abc import Sequence

from auth import metrics
from auth.storage.directory import Directory
from auth_client.wire import SessionQuestion


class Sessions:
    """Answers lists of session questions in one statement."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def answer(self, items: Sequence[SessionQuestion]) -> list[bool]:
        """One answer per question, in order. Raises Unavailable."""
        good = await self._directory.sessions([(item.mailbox_id, item.credential_version) for item in items])
        metrics.SESSIONS_ENDED.inc(good.count(False))
        return good
