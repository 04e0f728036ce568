"""The operators' JSON API of mailstore."""

from typing import Any

from mailkit.http import ServiceClient

Record = dict[str, Any]


class MailstoreAdmin(ServiceClient):
    """What the command line asks. Errors as `mailkit.http.ServiceClient.send` says."""

    async def show_usage(self, mailbox_id: str) -> Record:
        """id, usage in octets, quota_limit, purged, folders, messages, message_limit, charged (what counts: rows too)."""
        answer: Record = await self.json("GET", f"/v1/mailboxes/{mailbox_id}")
        return answer

    async def purge_mailbox(self, mailbox_id: str) -> int:
        """Remove everything in it, for good; how many messages went. Repeating it is harmless."""
        answer = await self.json("DELETE", f"/v1/mailboxes/{mailbox_id}", timeout=300)
        return int(answer["removed"])
