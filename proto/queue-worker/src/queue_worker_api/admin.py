"""The client of the queue's operators' API (JSON), used by the command line. One method per operation of openapi.json.

Records are dictionaries as described in `proto/queue-worker/openapi.json`: `id`, bare addresses, ISO 8601 times. Errors
are those of `mailkit.rpc.client.ServiceClient.call`; their text is a sentence for the operator.
"""

from typing import Any, cast
from urllib.parse import quote, urlencode

from mailkit.rpc.client import ServiceClient

Record = dict[str, Any]


class QueueAdmin(ServiceClient):
    """The operators' client of the queue; built from POSTRIDER_QUEUE_URL and POSTRIDER_ADMIN_TOKEN."""

    async def list_queue(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
        sender: str | None = None,
        recipient: str | None = None,
        domain: str | None = None,
        state: str | None = None,
    ) -> list[Record]:
        """Return one page of queued messages, oldest first (at most 1,000); the next page is `after` its last id.

        `named`: the first recipients of each message with their states; `unnamed`: the number of further ones.
        """
        given = {
            "after": after,
            "limit": limit,
            "sender": sender,
            "recipient": recipient,
            "domain": domain,
            "state": state,
        }
        query = urlencode({name: value for name, value in given.items() if value is not None})
        return cast(list[Record], await self.json("GET", "/v1/queue" + (f"?{query}" if query else "")))

    async def show_message(self, queue_id: str, *, after: int | None = None, limit: int | None = None) -> Record:
        """Return a message: id, sender, size, first_seen, expires and one page of `recipients` (at most 1,000).

        A recipient has address, original, kind, state, next_attempt, expires, tries, in_doubt, status, reply, remote_host,
        finished_at, attempts. `next`: the value of `after` for the next page. Raises NotFound.
        """
        query = urlencode({k: v for k, v in {"after": after, "limit": limit}.items() if v is not None})
        path = f"/v1/queue/{quote(queue_id, safe='')}"
        return cast(Record, await self.json("GET", path + (f"?{query}" if query else "")))

    async def retry_message(self, queue_id: str) -> int:
        """Retry one message now; return the number of recipients retried. Raises NotFound."""
        answer = await self.json("POST", f"/v1/queue/{quote(queue_id, safe='')}/retry")
        return int(answer["recipients"])

    async def retry_all(self) -> int:
        """Retry all waiting recipients now; return their number."""
        return int((await self.json("POST", "/v1/queue/retry"))["recipients"])
