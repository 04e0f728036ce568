"""Client of the operators' JSON API of mailstore."""

from typing import Any

from mailkit.rpc.client import ServiceClient

Record = dict[str, Any]


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
