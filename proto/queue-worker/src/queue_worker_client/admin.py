"""The verbs of the queue's operators' API (JSON): what the command line calls. One method per operation of openapi.json.

Records are dictionaries as `proto/queue-worker/openapi.json` describes them: `id`, bare addresses, ISO 8601 times. Errors
are those of `mailkit.http.ServiceClient.call`; their text is a sentence for the operator.
"""

from typing import Any, cast
from urllib.parse import quote, urlencode

from mailkit.http import ServiceClient

Record = dict[str, Any]


class QueueAdmin(ServiceClient):
    """The queue as operators see it; made with POSTRIDER_QUEUE_URL and POSTRIDER_ADMIN_TOKEN."""

    async def list_queue(
        self, *, after: str | None = None, limit: int | None = None, sender: str | None = None,
        recipient: str | None = None, domain: str | None = None, state: str | None = None,
    ) -> list[Record]:  # fmt: skip
        """Messages under way, oldest first: one page (1,000 at most), the next one `after` its last id. `named`: the first
        recipients of each with their states, `unnamed`: how many more there are."""
        given = {
            "after": after, "limit": limit, "sender": sender, "recipient": recipient, "domain": domain, "state": state,
        }  # fmt: skip
        query = urlencode({name: value for name, value in given.items() if value is not None})
        return cast(list[Record], await self.json("GET", "/v1/queue" + (f"?{query}" if query else "")))

    async def show_message(self, queue_id: str, *, after: int | None = None, limit: int | None = None) -> Record:
        """id, sender, size, first_seen, expires and `recipients`: address, original, kind, state, next_attempt, expires,
        tries, in_doubt, status, reply, remote_host, finished_at, attempts. One page of recipients (1,000 at most); `next`:
        give it as `after` for those that follow. Raises NotFound."""
        query = urlencode({k: v for k, v in {"after": after, "limit": limit}.items() if v is not None})
        path = f"/v1/queue/{quote(queue_id, safe='')}"
        return cast(Record, await self.json("GET", path + (f"?{query}" if query else "")))

    async def retry_message(self, queue_id: str) -> int:
        """Try one message now; returns how many recipients are tried. Raises NotFound."""
        answer = await self.json("POST", f"/v1/queue/{quote(queue_id, safe='')}/retry")
        return int(answer["recipients"])

    async def retry_all(self) -> int:
        """Try everything that waits now; returns how many recipients are tried."""
        return int((await self.json("POST", "/v1/queue/retry"))["recipients"])
