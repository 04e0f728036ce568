"""Client of the operators' JSON API of mailstore."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from mailkit.rpc.client import ServiceClient
from mailstore_api import wire

Record = dict[str, Any]

#: Limit of the octets of a batch of an export: a large message travels alone.
LARGEST_EXPORT = 80 * 1024 * 1024
#: Messages of one question about the trace.
MOST_TRACED = 100


class MailstoreAdmin(ServiceClient):
    """Operations for the command line. Errors as of `mailkit.rpc.client.ServiceClient.send`."""

    async def show_usage(self, mailbox_id: str) -> Record:
        """Return id, usage in octets, quota_limit, purged, folders, messages, message_limit, and charged (usage and rows)."""
        answer: Record = await self.json("GET", f"/v1/mailboxes/{mailbox_id}")
        return answer

    async def purge_mailbox(self, mailbox_id: str) -> int:
        """Remove a mailbox and its contents permanently; return the number of messages removed. May be repeated."""
        answer = await self.json("DELETE", f"/v1/mailboxes/{mailbox_id}", timeout=300)
        return int(answer["removed"])

    async def deleted(self, mailbox_id: str, **filters: str | int) -> AsyncIterator[list[Record]]:
        """Yield pages of the messages that can be undeleted, the last deleted first. `filters`: folder, newer (seconds), limit."""
        path = f"/v1/mailboxes/{mailbox_id}/deleted?{urlencode(filters)}"
        while path:
            page, path = await self.page(path)
            yield page

    async def undelete(self, mailbox_id: str, **wanted: Any) -> AsyncIterator[Record]:
        """Bring messages back, batch by batch, and yield what each did: restored, lost, next.

        `wanted`: numbers (at most 500), or folder, newer (seconds); to. Raises Conflict if the quota has no room for the next batch.
        """
        after: int | None = None
        while True:
            more = {} if after is None else {"after": after}
            done = await self.json("POST", f"/v1/mailboxes/{mailbox_id}/undelete", wanted | more, timeout=60)
            yield done
            after = done["next"]
            if after is None:
                return

    async def check(self, *, fix: bool = False, mailbox_id: str | None = None) -> AsyncIterator[Record]:
        """Compare rows, bodies and counters part by part, and yield what each found: findings, mailboxes, messages, bodies, messages_about."""
        asked: Record = {"after": "", "fix": fix, "mailbox_id": mailbox_id}
        while asked["after"] is not None:
            done = await self.json("POST", "/v1/check", asked, timeout=120)
            yield done
            asked["after"] = done["next"]

    async def import_folder(self, question: wire.ImportFolder) -> wire.ImportedFolder:
        """Make a folder that an import fills, unless it exists. May be repeated. Raises NotFound for a purged mailbox."""
        return await self.call("/v1/imports/folder", question, wire.ImportedFolder, timeout=60)

    async def known_imports(self, question: wire.KnownQuestion) -> list[bool]:
        """Return for each key whether it was imported already."""
        answer = await self.call("/v1/imports/known", question, wire.KnownAnswer, timeout=60)
        return [octet == 1 for octet in answer.known]

    async def import_messages(self, head: wire.ImportList, messages: bytes) -> wire.Imported:
        """Import messages, whose octets follow each other, all or none. May be repeated: known ones are passed over."""
        return await self.call_framed("/v1/imports/messages", head, messages, answer=wire.Imported, timeout=120)

    async def export_folders(self, mailbox_id: UUID) -> list[wire.ExportedFolder]:
        """Return the folders of a mailbox by name; none if it was never used."""
        question = wire.ExportQuestion(mailbox_id)
        return (await self.call("/v1/exports/folders", question, wire.ExportedFolders, timeout=60)).folders

    async def export_messages(self, mailbox_id: UUID, folder_id: int) -> AsyncIterator[list[wire.ExportedMessage]]:
        """Yield the messages of a folder in batches, by UID; those that come meanwhile too. Ends if the folder is deleted."""
        after, more = 0, True
        while more:
            question = wire.ExportMessages(mailbox_id, folder_id, after)
            found = await self.call(
                "/v1/exports/messages", question, wire.ExportedMessages, timeout=120, most=LARGEST_EXPORT
            )
            if found.items:
                yield found.items
                after = found.items[-1].uid
            more = found.more

    async def trace(self, queue_ids: Sequence[str]) -> list[Record]:
        """Return what happened to messages in mailboxes, in order: queue_id, mailbox_id, at, event, folder, protocol."""
        found: list[Record] = []
        for start in range(0, len(queue_ids), MOST_TRACED):
            query = urlencode({"id": list(queue_ids[start : start + MOST_TRACED])}, doseq=True)
            found += await self.json("GET", f"/v1/trace?{query}")
        return found

    async def mailbox_trace(self, mailbox_id: str, **bounds: int) -> AsyncIterator[list[Record]]:
        """Yield pages of what happened in a mailbox, the latest first. `bounds`: newer and older (seconds), limit."""
        path = f"/v1/trace?{urlencode({'mailbox': mailbox_id, **bounds})}"
        while path:
            page, path = await self.page(path)
            yield page
