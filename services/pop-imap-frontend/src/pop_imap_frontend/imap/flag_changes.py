"""Changes of flags by a session: STORE, and FETCH that sets \\Seen; with MODSEQs if the client uses them (RFC 7162 3.1.3)."""

from array import array

from mailkit.ids import new_id
from mailstore_api.wire import MOST_FLAGS, MOST_RANGES, ConditionallyStored, ConditionalStore, Stored, StoreQuestion
from pop_imap_frontend.imap.folder.spans import Spans
from pop_imap_frontend.imap.refusals import GONE, MANY_KEYWORDS, Disconnect, No
from pop_imap_frontend.imap.session import ImapSession

#: At least every MODSEQ.
_ANY = 2**63 - 1


class FlagChange:
    """One change of flags; `mode` is replace, add or remove. Afterwards `modified` has the UIDs that it left as they were."""

    def __init__(self, session: ImapSession, mode: str, flags: list[str], unchanged_since: int | None = None) -> None:
        self._session = session
        self._mode = mode
        self._flags = list(dict.fromkeys(flags))
        self._unchanged_since = _ANY if unchanged_since is None else unchanged_since
        self.uids, self.modseqs, self.modified = array("I"), array("Q"), array("I")
        """Messages changed or as wanted before, and their MODSEQs; all empty if the client does not use MODSEQs."""

    async def carry_out(self, spans: Spans) -> None:
        """Change the flags and apply the result to the view, in slices: the messages that a FETCH marks may be many ranges.

        Raises No for too many keywords, Disconnect if the folder is gone.
        """
        if len(self._flags) > MOST_FLAGS:
            raise No(MANY_KEYWORDS)
        for start in range(0, len(spans), MOST_RANGES):
            await self._slice(spans[start : start + MOST_RANGES])

    async def _slice(self, spans: Spans) -> None:
        session, view, mailstore = self._session, self._session.writable(), self._session.context.mailstore
        folder = session.mailbox_id, view.folder_id, view.uid_ranges(spans), self._mode, self._flags
        answer: Stored | ConditionallyStored
        if session.condstore:
            answer = await mailstore.store_unchanged(ConditionalStore(*folder, self._unchanged_since, new_id()))  # type: ignore[arg-type]
            self._keep(answer)
            session.changed.set()  # the view is at an earlier MODSEQ than these messages
        else:
            answer = await mailstore.store(StoreQuestion(*folder, new_id()))  # type: ignore[arg-type]
        if answer.status == "gone":
            raise Disconnect(GONE)
        if answer.status == "limit":
            raise No(MANY_KEYWORDS)
        await session.send(view.stored(answer.uids, answer.flags, answer.keywords))

    def _keep(self, answer: ConditionallyStored) -> None:
        self.uids.frombytes(answer.uids)
        self.modseqs.frombytes(answer.modseqs)
        self.modified.frombytes(answer.modified)
