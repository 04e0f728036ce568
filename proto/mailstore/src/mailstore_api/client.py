"""Client of mailstore's endpoints, one method per operation."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from mailkit.rpc.client import ServiceClient, encoder
from mailstore_api import wire

#: Limit of the octets of an answer about a whole folder: 20 octets for each of three million messages.
LARGEST_FOLDER = 64 * 1024 * 1024
#: Limits of the octets of a frame of rows: with pieces, a row has at most 100 sections of PIECE octets and the columns rendered
#: of a message; without pieces, its sections are whole.
LARGEST_ROWS = 16 * 1024 * 1024
LARGEST_WHOLE_ROWS = 64 * 1024 * 1024

_rows = msgspec.msgpack.Decoder(list[list[Any]])
_rows_or_piece = msgspec.msgpack.Decoder(list[list[Any]] | bytes)
_news = msgspec.msgpack.Decoder(wire.FeedNews)

T = TypeVar("T")


class MailstoreClient(ServiceClient):
    """Operations for smtp-gateway, queue-worker and pop-imap-frontend. Errors as of `ServiceClient.call`."""

    upstream = "mailstore"
    proof_of: Callable[[UUID], bytes] | None = None
    """Returns the proof of a mailbox with open sessions, for questions about it that have none (docs/decisions/0040)."""

    def _proven(self, question: Any) -> Any:
        if self.proof_of is None or question.proof:
            return question
        return msgspec.structs.replace(question, proof=self.proof_of(question.mailbox_id))

    async def _ask(self, path: str, question: Any, answer: type[T], *, timeout: float | None = None) -> T:
        """Send a question about one mailbox with its proof."""
        return await self.call(path, self._proven(question), answer, timeout=timeout, most=LARGEST_FOLDER)

    async def room(self, items: Sequence[wire.RoomQuestion]) -> list[str]:
        return list((await self.call("/v1/room", wire.RoomList(list(items)), wire.RoomAnswers)).items)

    async def file(self, question: wire.FilingList, *, timeout: float | None = None) -> list[wire.FilingAnswer]:
        """File a list; items filed before are answered `already`."""
        return (await self.call("/v1/filings", question, wire.FilingAnswers, timeout=timeout)).items

    async def references(self, question: wire.ReferenceList) -> list[bool]:
        return (await self.call("/v1/references", question, wire.ReferenceAnswers)).referenced

    async def list_folders(self, question: wire.MailboxQuestion) -> list[wire.FolderInfo]:
        return (await self._ask("/v1/folders/list", question, wire.FolderList)).folders

    async def create_folder(self, question: wire.FolderChange) -> wire.FolderChanged:
        return await self._ask("/v1/folders/create", question, wire.FolderChanged)

    async def create_special_folder(self, question: wire.SpecialFolder) -> wire.FolderChanged:
        return await self._ask("/v1/folders/create-special", question, wire.FolderChanged)

    async def delete_folder(self, question: wire.FolderChange) -> str:
        return (await self._ask("/v1/folders/delete", question, wire.FolderChanged)).status

    async def rename_folder(self, question: wire.FolderChange) -> str:
        return (await self._ask("/v1/folders/rename", question, wire.FolderChanged)).status

    async def subscribe_folder(self, question: wire.FolderChange) -> str:
        return (await self._ask("/v1/folders/subscribe", question, wire.FolderChanged)).status

    async def unsubscribe_folder(self, question: wire.FolderChange) -> str:
        return (await self._ask("/v1/folders/unsubscribe", question, wire.FolderChanged)).status

    async def metadata(self, question: wire.MetadataQuestion) -> wire.FoundMetadata:
        return await self._ask("/v1/metadata/read", question, wire.FoundMetadata)

    async def metadata_state(self, question: wire.MetadataStateQuestion) -> wire.MetadataState:
        return await self._ask("/v1/metadata/state", question, wire.MetadataState)

    async def change_metadata(self, question: wire.MetadataChange) -> str:
        return (await self._ask("/v1/metadata/change", question, wire.ChangedMetadata)).status

    async def quota(self, question: wire.QuotaQuestion) -> wire.QuotaAnswer:
        return await self._ask("/v1/quota", question, wire.QuotaAnswer)

    async def open_folder(self, question: wire.OpenFolder) -> wire.FolderSnapshot:
        return await self._ask("/v1/folders/open", question, wire.FolderSnapshot)

    async def changes(self, question: wire.ChangesQuestion) -> wire.Changes:
        return await self._ask("/v1/folders/changes", question, wire.Changes)

    async def modseqs(self, question: wire.ModseqQuestion) -> wire.Modseqs:
        return await self._ask("/v1/folders/modseqs", question, wire.Modseqs)

    async def days(self, question: wire.DaysQuestion) -> wire.Days:
        return await self._ask("/v1/folders/days", question, wire.Days)

    async def store_unchanged(self, question: wire.ConditionalStore) -> wire.ConditionallyStored:
        return await self._ask("/v1/messages/store-unchanged", question, wire.ConditionallyStored)

    async def store(self, question: wire.StoreQuestion) -> wire.Stored:
        return await self._ask("/v1/messages/store", question, wire.Stored)

    async def copy(self, question: wire.CopyQuestion) -> wire.Copied:
        return await self._ask("/v1/messages/copy", question, wire.Copied)

    async def expunge(self, question: wire.ExpungeQuestion) -> wire.Expunged:
        return await self._ask("/v1/messages/expunge", question, wire.Expunged)

    async def search(self, question: wire.SearchQuestion) -> wire.Found:
        return await self._ask("/v1/messages/search", question, wire.Found, timeout=60)

    async def sort(self, question: wire.SortQuestion) -> wire.Found:
        return await self._ask("/v1/messages/sort", question, wire.Found, timeout=60)

    async def order(self, question: wire.OrderQuestion) -> wire.Order:
        return await self._ask("/v1/messages/order", question, wire.Order, timeout=60)

    async def thread(self, question: wire.ThreadQuestion) -> wire.Threads:
        return await self._ask("/v1/messages/thread", question, wire.Threads, timeout=60)

    async def append(self, head: wire.Append, message: bytes) -> wire.Appended:
        return await self.call_framed(
            "/v1/messages/append", self._proven(head), message, answer=wire.Appended, timeout=60
        )

    async def append_list(self, head: wire.AppendList, messages: bytes) -> wire.Appended:
        """Append `messages`, whose octets follow each other; all or none."""
        path = "/v1/messages/append-list"
        return await self.call_framed(path, self._proven(head), messages, answer=wire.Appended, timeout=60)

    async def folders_changed(self, items: Sequence[wire.FollowedFolder]) -> list[bool]:
        """Compare MODSEQs; at most MOST_FOLLOWED items."""
        question = wire.FollowedFolders([self._proven(item) for item in items])
        return (await self.call("/v1/folders/changed", question, wire.FoldersChanged)).items

    async def open_maildrop(self, question: wire.OpenMaildrop) -> wire.Maildrop:
        return await self._ask("/v1/maildrop/open", question, wire.Maildrop)

    async def renew_maildrops(self, items: Sequence[wire.MaildropLease]) -> list[bool]:
        question = wire.RenewMaildrops([self._proven(item) for item in items])
        return (await self.call("/v1/maildrop/renew", question, wire.RenewedMaildrops)).items

    async def read_maildrop(self, question: wire.ReadMaildrop) -> AsyncGenerator[bytes, None]:
        """Yield the message's octets as they arrive. Raises NotFound if it is gone, Unanswered if the stream breaks off."""
        data = encoder.encode(self._proven(question))
        async with aclosing(self.pieces("POST", "/v1/maildrop/read", data, sock_read=60)) as pieces:
            async for piece in pieces:
                yield piece

    async def read_ahead(self, question: wire.ReadAhead) -> list[bytes | None]:
        return (await self._ask("/v1/maildrop/ahead", question, wire.MessagesAhead, timeout=60)).items

    async def close_maildrop(self, question: wire.CloseMaildrop) -> wire.ClosedMaildrop:
        return await self._ask("/v1/maildrop/close", question, wire.ClosedMaildrop)

    async def fetch(self, question: wire.FetchQuestion) -> AsyncIterator[list[list[Any]]]:
        """Yield slices of rows [uid, *columns, *sections] as they arrive."""
        data = encoder.encode(self._proven(question))
        async for frame in self.frames("POST", "/v1/messages/fetch", data, sock_read=60, most=LARGEST_WHOLE_ROWS):
            yield _rows.decode(frame)

    async def fetch_pieces(self, question: wire.FetchQuestion) -> AsyncIterator[list[list[Any]] | bytes]:
        """Yield the answer to a question with `pieces`: slices of rows and, after a row with large values, their pieces."""
        data = encoder.encode(self._proven(question))
        async for frame in self.frames("POST", "/v1/messages/fetch", data, sock_read=60, most=LARGEST_ROWS):
            yield _rows_or_piece.decode(frame)

    async def feed(self, watched: AsyncIterator[Sequence[wire.WatchedMailbox]]) -> AsyncIterator[wire.FeedNews]:
        """Yield changes of the mailboxes that `watched` yields until the connection ends; a heartbeat every 10 s (decision 8).

        The request is sent with the first list, which may be empty. A list has at most MOST_WATCHED_A_FRAME items.
        """

        async def asked() -> AsyncIterator[bytes]:
            async for items in watched:
                data = encoder.encode(wire.WatchList(list(items)))
                yield len(data).to_bytes(4, "big") + data

        async for frame in self.frames("POST", "/v1/feed", asked(), sock_read=25):
            yield _news.decode(frame)
