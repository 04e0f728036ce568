"""Change feed and re-check of the logged-in sessions.

Changes in their mailbox (docs/decisions/0055), a disabled or changed account (decision 15), renewed proofs (docs/decisions/0040).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from itertools import islice
from typing import Literal, Protocol
from uuid import UUID

from auth_api.client import AuthClient
from auth_api.wire import LoginAnswer, SessionQuestion
from mailkit.process.report import report
from mailstore_api.client import MailstoreClient
from mailstore_api.wire import MOST_FOLLOWED, MOST_WATCHED_A_FRAME, FollowedFolder, WatchedMailbox

RECHECK_SECONDS = 5.0
#: Interval at which the MODSEQs of all selected folders are compared (docs/decisions/0055).
COMPARE_SECONDS = 60.0


class Watched(Protocol):
    """A logged-in session.

    `changed` is set by the feed, which is asked for the mailbox if `follows_changes`; `proof` is renewed by the re-check.
    """

    changed: asyncio.Event
    proof: bytes
    follows_changes: bool

    @property
    def protocol(self) -> Literal["imap", "pop3"]:
        """The protocol of the login."""
        ...

    @property
    def followed(self) -> tuple[int, int] | None:
        """Id of the selected folder, and the MODSEQ up to which the session knows its changes; None without one."""
        ...

    @property
    def account(self) -> LoginAnswer:
        """The login of the session."""
        ...

    def end(self, reason: str) -> None:
        """End the session with `reason`."""
        ...


class Subscriptions:
    """Mailboxes that one connection of the change feed has not yet subscribed to."""

    def __init__(self, mailbox_ids: Iterable[UUID], proof: Callable[[UUID], bytes]) -> None:
        self._waiting = dict.fromkeys(mailbox_ids)
        self._proof = proof
        self._more = asyncio.Event()

    def add(self, mailbox_id: UUID) -> None:
        """Subscribe to this mailbox as well, or again with its new proof."""
        self._waiting[mailbox_id] = None
        self._more.set()

    async def lists(self) -> AsyncIterator[list[WatchedMailbox]]:
        """Yield lists of mailboxes without end; the first may be empty, so that the request is sent at once."""
        while True:
            self._more.clear()
            sent = list(islice(self._waiting, MOST_WATCHED_A_FRAME))
            for mailbox_id in sent:
                del self._waiting[mailbox_id]
            proofs = ((mailbox_id, self._proof(mailbox_id)) for mailbox_id in sent)
            yield [WatchedMailbox(mailbox_id, proof) for mailbox_id, proof in proofs if proof]
            if not self._waiting:
                await self._more.wait()


class Watch:
    """The logged-in sessions of this process, by mailbox."""

    def __init__(self, mailstore: MailstoreClient, auth: AuthClient) -> None:
        self._mailstore = mailstore
        self._auth = auth
        self._sessions: dict[UUID, set[Watched]] = {}
        self._subscriptions = Subscriptions((), self.proof)

    def add(self, session: Watched) -> Callable[[], None]:
        """Watch `session` until the returned function is called."""
        mailbox_id = session.account.mailbox_id
        assert mailbox_id is not None
        self._sessions.setdefault(mailbox_id, set()).add(session)
        if session.follows_changes:
            self._subscriptions.add(mailbox_id)

        def remove() -> None:
            there = self._sessions.get(mailbox_id)
            if there is not None:
                there.discard(session)
                if not there:
                    del self._sessions[mailbox_id]

        return remove

    def proof(self, mailbox_id: UUID) -> bytes:
        """Return the longest-lasting proof of this mailbox's sessions; empty if there is no session."""
        return max((session.proof for session in self._sessions.get(mailbox_id, ())), default=b"")

    async def follow_feed(self) -> None:
        """Pass the change feed on to the sessions, without end; after a gap every session asks for changes."""
        while True:
            try:
                self._mark_all()
                followed = [
                    mailbox_id for mailbox_id, group in self._sessions.items() if any(s.follows_changes for s in group)
                ]
                self._subscriptions = Subscriptions(followed, self.proof)
                async for news in self._mailstore.feed(self._subscriptions.lists()):
                    if news.everything:
                        self._mark_all()
                    for mailbox_id in news.mailbox_ids:
                        for session in self._sessions.get(mailbox_id, ()):
                            session.changed.set()
            except Exception as error:  # no error may end the feed
                report(error, "feed")
            await asyncio.sleep(0.5)

    def _mark_all(self) -> None:
        for sessions in self._sessions.values():
            for session in sessions:
                session.changed.set()

    async def compare(self) -> None:
        """Have sessions whose folder has changed ask for changes, should its announcement have been lost.

        One call to mailstore for each MOST_FOLLOWED folders.
        """
        folders = list(
            {
                (mailbox_id, *session.followed)
                for mailbox_id, sessions in self._sessions.items()
                for session in sessions
                if session.followed is not None
            }
        )
        for start in range(0, len(folders), MOST_FOLLOWED):
            asked = folders[start : start + MOST_FOLLOWED]
            items = [FollowedFolder(*folder) for folder in asked]
            for folder, changed in zip(asked, await self._mailstore.folders_changed(items), strict=True):
                if changed:
                    mailbox_id, *known = folder
                    for session in self._sessions.get(mailbox_id, ()):
                        if session.followed == tuple(known):
                            session.changed.set()

    async def recheck(self) -> None:
        """End sessions whose account was disabled, whose password changed or whose protocol is off now, and renew the proofs of the others.

        One call to auth for each 5,000 sessions.
        """
        sessions = [session for group in self._sessions.values() for session in group]
        for start in range(0, len(sessions), 5000):
            await self._recheck(sessions[start : start + 5000])

    async def _recheck(self, sessions: Sequence[Watched]) -> None:
        questions = [
            SessionQuestion(s.account.mailbox_id, s.account.credential_version, s.proof, s.protocol)
            for s in sessions
            if s.account.mailbox_id
        ]
        answer = await self._auth.recheck(questions)
        proofs = answer.proofs or [b""] * len(sessions)
        for session, question, good, proof in zip(sessions, questions, answer.items, proofs, strict=True):
            # without a proof nothing is read here: the session is at an old host
            if not good or not (question.proof or proof or session.account.old_host):
                session.end("the account was changed, log in again")
            elif proof:
                session.proof = proof
                if session.follows_changes:
                    self._subscriptions.add(question.mailbox_id)
