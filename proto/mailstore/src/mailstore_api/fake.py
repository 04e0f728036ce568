"""Parts of mailstore in memory, for tests of the services that call it.

`services/mailstore/tests/test_mailstore_contract.py` runs the same cases on these fakes and on the real service.
"""

from array import array
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from mailkit.errors import NotFound, Unanswered, Unavailable
from mailstore_api.wire import (
    ClosedMaildrop,
    CloseMaildrop,
    Filing,
    FilingAnswer,
    FilingList,
    Maildrop,
    MaildropLease,
    OpenMaildrop,
    ReadAhead,
    ReadMaildrop,
    ReferenceList,
)


@dataclass
class FakeMaildrop:
    """INBOX of one mailbox for POP3, with `messages` by UID.

    `trouble` has the errors that the next calls of each operation raise; an Unanswered close is carried out before it is
    raised.
    """

    messages: dict[int, bytes] = field(default_factory=dict)
    holder: UUID | None = None
    trouble: dict[str, list[Exception]] = field(default_factory=dict)
    read_ahead_calls: int = 0
    before_close: Callable[[], None] = lambda: None
    closed: dict[UUID, ClosedMaildrop] = field(default_factory=dict)

    def _try(self, verb: str) -> None:
        if self.trouble.get(verb):
            raise self.trouble[verb].pop(0)

    async def open_maildrop(self, question: OpenMaildrop) -> Maildrop:
        self._try("open")
        if self.holder not in (None, question.session_id) or question.session_id in self.closed:
            return Maildrop("in_use")
        self.holder = question.session_id
        sizes = array("I", [len(raw) + 2 * (not raw.endswith(b"\r\n")) for raw in self.messages.values()])
        return Maildrop("ok", 7, array("I", self.messages).tobytes(), sizes.tobytes(), 1)

    async def renew_maildrops(self, items: Sequence[MaildropLease]) -> list[bool]:
        return [item.session_id == self.holder for item in items]

    async def read_maildrop(self, question: ReadMaildrop) -> AsyncGenerator[bytes, None]:
        self._try("read")
        if question.uid not in self.messages:
            raise NotFound("gone")
        head, _, body = self.messages[question.uid].partition(b"\r\n\r\n")
        yield head + b"\r\n\r\n"
        for line in body.splitlines(keepends=True)[: None if question.lines < 0 else question.lines]:
            self._try("line")
            yield line

    async def read_ahead(self, question: ReadAhead) -> list[bytes | None]:
        self._try("ahead")
        self.read_ahead_calls += 1
        return [self.messages.get(uid) for uid in array("I", question.uids)]

    async def close_maildrop(self, question: CloseMaildrop) -> ClosedMaildrop:
        self.before_close()
        trouble = self.trouble.get("close", [])
        if trouble and not isinstance(trouble[0], Unanswered):
            raise trouble.pop(0)
        answer = self._close(question)
        if trouble:
            raise trouble.pop(0)
        return answer

    def _close(self, question: CloseMaildrop) -> ClosedMaildrop:
        if question.session_id in self.closed:
            return self.closed[question.session_id]
        if self.holder != question.session_id:
            return self.closed.setdefault(question.session_id, ClosedMaildrop("lost"))
        self.holder = None
        removed = [self.messages.pop(uid, None) for uid in array("I", question.uids)]
        answer = ClosedMaildrop("ok", sum(raw is not None for raw in removed))
        return self.closed.setdefault(question.session_id, answer) if removed else answer


class FakeFilings:
    """Accepts filings and recognizes repeated ones by (mailbox, queue id).

    `says` may return another answer for a filing; `referenced` has the bodies to which mailboxes refer.
    """

    def __init__(self) -> None:
        self.filed: dict[tuple[UUID, UUID], Filing] = {}
        self.lists: list[FilingList] = []
        self.says: Callable[[Filing], str | None] = lambda filing: None
        self.away = False
        self.referenced: set[UUID] = set()
        self.asked: list[list[UUID]] = []
        self.after_filing: Callable[[], None] = lambda: None

    async def file(self, question: FilingList, *, timeout: float | None = None) -> list[FilingAnswer]:
        if self.away:
            raise Unavailable("mailstore cannot be reached")
        self.lists.append(question)
        answers = []
        for filing in question.items:
            status = self.says(filing)
            if status is None:
                status = "already" if (filing.mailbox_id, filing.queue_id) in self.filed else "filed"
                self.filed.setdefault((filing.mailbox_id, filing.queue_id), filing)
            answers.append(FilingAnswer(cast(Any, status)))
        self.after_filing()
        return answers

    async def references(self, question: ReferenceList) -> list[bool]:
        if self.away:
            raise Unavailable("mailstore cannot be reached")
        self.asked.append(list(question.body_ids))
        return [body_id in self.referenced for body_id in question.body_ids]
