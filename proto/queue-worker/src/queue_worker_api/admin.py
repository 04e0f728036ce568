"""The client of the queue's operators' API (JSON), used by the command line. One method per operation of openapi.json.

Records are dictionaries as described in `proto/queue-worker/openapi.json`: `id`, bare addresses, ISO 8601 times. Errors
are those of `mailkit.rpc.client.ServiceClient.call`; their text is a sentence for the operator.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, cast
from urllib.parse import quote, urlencode

from mailkit.rpc.client import ServiceClient

Record = dict[str, Any]

#: Rows of a full page of pauses.
PAGE = 1000
#: Deadline, in seconds, of one batch of an action.
BATCH_SECONDS = 60.0


class QueueAdmin(ServiceClient):
    """The operators' client of the queue; built from POSTRIDER_QUEUE_URL and POSTRIDER_ADMIN_TOKEN."""

    async def list_queue(
        self, *, after: str | None = None, limit: int | None = None, **filter: Any
    ) -> AsyncIterator[list[Record]]:
        """Yield the pages of queued messages, oldest first; a page has at most `limit` of them (200, 1,000 at most), and may have none.

        `filter`: sender, recipient, domain, account, state, older, newer, reply. `named`: the first recipients of each
        message with their states; `unnamed`: the number of further ones.
        """
        path = _with("/v1/queue", after=after, limit=limit, **filter)
        while path:
            page, path = await self.page(path)
            yield page

    async def show_message(self, queue_id: str, *, after: int | None = None, limit: int | None = None) -> Record:
        """Return a message: id, sender, size, first_seen, expires and one page of `recipients` (at most 1,000).

        `trace` says who sent it and what happened, as `trace` below. A recipient has address, original, kind, state, next_attempt, expires, tries, in_doubt, status, reply, remote_host,
        finished_at, attempts. `next`: the value of `after` for the next page. Raises NotFound.
        """
        path = f"/v1/queue/{quote(queue_id, safe='')}"
        return cast(Record, await self.json("GET", _with(path, after=after, limit=limit)))

    async def top(self, by: str = "domain", **filter: Any) -> AsyncIterator[list[Record]]:
        """Yield the counts of each part of the queue by domain, sender, account or reply; those of one key are to be added.

        A record has key, recipients, waiting, claimed, held, oldest. `filter`: as of `list_queue`.
        """
        after: str | None = None
        while True:
            part = cast(Record, await self.json("GET", _with("/v1/queue/top", by=by, after=after, **filter)))
            yield part["groups"]
            if (after := part["next"]) is None:
                return

    async def act_on_queue(self, action: str, **given: Any) -> AsyncIterator[Record]:
        """Hold, release, retry, remove, bounce, expire or route recipients; yield the counts of each batch as it is done.

        `given`: ids, filter or all; reason, actor, dry_run; `route`, the name of one. Counts: messages, recipients, and those `busy`, which are being
        tried and are left alone. Raises NotFound.
        """
        after: str | None = None
        while True:
            content = {"action": action, "after": after, **given}
            batch = cast(Record, await self.json("POST", "/v1/queue/actions", content, timeout=BATCH_SECONDS))
            yield batch
            if (after := batch["next"]) is None:
                return

    async def trace(
        self, *, id: Sequence[str] = (), limit: int | None = None, **wanted: Any
    ) -> AsyncIterator[list[Record]]:
        """Yield pages of traced messages, the latest first; a page may have none.

        `wanted`: account (a mailbox's id), message_id, address, client, host, newer and older (seconds). A record has id, at,
        sender, by, account, account_address, client_address and `events`, in order.
        """
        path = _with("/v1/trace", id=list(id) or None, limit=limit, **wanted)
        while path:
            page, path = await self.page(path)
            yield page

    async def refusals(self, *, limit: int | None = None, **wanted: Any) -> AsyncIterator[list[Record]]:
        """Yield pages of what was refused, the latest first; a page may have none.

        `wanted`: address, client, account (a mailbox's id), rule, newer and older (seconds). A record has id, at, client_address,
        listener, tls, helo, by, account, account_address, sender, recipients, size, command, rule, reply, times.
        """
        path = _with("/v1/trace/refusals", limit=limit, **wanted)
        while path:
            page, path = await self.page(path)
            yield page

    async def list_suppressions(self, *, address: str | None = None) -> AsyncIterator[list[Record]]:
        """Yield pages of addresses to which mail is not tried: address, account, bounces, status, reply, since, expires."""
        path = _with("/v1/suppressions", address=address, limit=PAGE)
        while path:
            page, path = await self.page(path)
            yield page

    async def delete_suppression(self, address: str, *, account: str | None = None) -> int:
        """Let mail to `address` be tried again, of one account or of all; return the entries removed. Raises NotFound."""
        answer = await self.json("DELETE", _with("/v1/suppressions", address=address, account=account))
        return int(answer["removed"])

    async def simulate_routes(
        self, account: str | None, recipients: Sequence[Record], *, client: str | None = None, sender: str = ""
    ) -> list[Record]:
        """Return where a message would go and when it would be tried: one route for each destination.

        `recipients`: address and mailbox (an id, None for one elsewhere). A route has kind, destination, recipients, route,
        sources, shaping, hosts, port, tls, outcome, status, reply, pauses, suppressed, attempts and expires.
        """
        content = {"account": account, "client": client, "sender": sender, "recipients": list(recipients)}
        return cast(list[Record], await self.json("POST", "/v1/simulate", content, timeout=BATCH_SECONDS))

    async def list_pauses(self) -> list[Record]:
        """Return all pauses: kind (all, destination, account, disabled), value, since, reason."""
        found: list[Record] = []
        while True:
            last = found[-1] if found else {"kind": None, "value": None}
            page = await self.json("GET", _with("/v1/queue/pauses", after_kind=last["kind"], after_value=last["value"]))
            found += page
            if len(page) < PAGE:
                return found

    async def list_shaping(self) -> list[Record]:
        """Return the operators of mail hosts: name, suffixes, conversations, conversations_max, per_minute, paused_until, reply, limited."""
        return cast(list[Record], await self.json("GET", "/v1/queue/shaping"))

    async def list_routes(self) -> list[Record]:
        """Return all routes: kind (all, destination, sender, account, bounces, forwards), value, host, port, tls, username, source_address, helo, pool, changed_at."""
        found: list[Record] = []
        while True:
            last = found[-1] if found else {"kind": None, "value": None}
            page = await self.json("GET", _with("/v1/routes", after_kind=last["kind"], after_value=last["value"]))
            found += page
            if len(page) < PAGE:
                return found

    async def set_route(self, kind: str, value: str | None, **more: Any) -> Record:
        """Set a route. `more`: host, port, tls (starttls, implicit, opportunistic), username, password, source_address, helo, pool (helo, addresses each), actor."""
        return cast(Record, await self.json("PUT", "/v1/routes", {"kind": kind, "value": value, **more}))

    async def delete_route(self, kind: str, value: str | None, **more: Any) -> Record:
        """Delete a route. Raises NotFound."""
        return cast(Record, await self.json("POST", "/v1/routes/end", {"kind": kind, "value": value, **more}))

    async def pause(self, kind: str, value: str | None, **more: Any) -> Record:
        """Let mail of a destination, of an account or a disabled one (a mailbox's id), or all mail wait."""
        return cast(Record, await self.json("PUT", "/v1/queue/pauses", {"kind": kind, "value": value, **more}))

    async def resume(self, kind: str, value: str | None, **more: Any) -> Record:
        """End a pause. Raises NotFound."""
        return cast(Record, await self.json("POST", "/v1/queue/pauses/end", {"kind": kind, "value": value, **more}))


def _with(path: str, **asked: Any) -> str:
    query = urlencode({name: value for name, value in asked.items() if value is not None}, doseq=True)
    return path + (f"?{query}" if query else "")
