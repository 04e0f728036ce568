"""Claims for the remote courier: grouped into messages, with their bodies; and the courier's results, cleaned."""

import asyncio
from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter, itemgetter
from uuid import UUID

from bodystore import BodyGone, BodyStore
from queue_worker.couriers.signatures import BounceSignatures
from queue_worker.models import Claim, Result, clean

#: Octets up to which the bodies of a conversation are fetched together; a larger one is read when its turn comes.
PREFETCH = 32 * 1024

_BY_MESSAGE = attrgetter("message_id", "via", "sender", "route", "n")
_MESSAGE = attrgetter("message_id", "via", "sender", "route")


class Bodies:
    """The bodies of one conversation; the small ones are read in one query when the first is needed."""

    def __init__(self, bodies: BodyStore, claims: list[Claim], signatures: BounceSignatures) -> None:
        self._bodies = bodies
        self._signatures = signatures
        self._small = [claim.body_id for claim in claims if claim.size <= PREFETCH]
        self._fetched: asyncio.Future[dict[UUID, bytes]] | None = None

    async def load(self, claim: Claim) -> bytes:
        """Return the message as it is sent. Raises BodyGone."""
        body = await self._read(claim)
        if claim.bounce:
            body = await self._signatures.fields(body) + body
        return prefix_of(claim) + body

    async def _read(self, claim: Claim) -> bytes:
        if claim.size > PREFETCH:
            return await self._bodies.read(claim.body_id)
        if self._fetched is None or (self._fetched.done() and self._fetched.exception()):
            self._fetched = asyncio.ensure_future(self._bodies.read_many(self._small))
        found = (await asyncio.shield(self._fetched)).get(claim.body_id)
        if found is None:
            raise BodyGone(f"body {claim.body_id} is gone")
        return found


def messages_of(claims: Iterable[Claim]) -> list[list[Claim]]:
    """Group `claims` by message, forwarding address, envelope sender and route, in order of acceptance, with the flows taking turns."""
    messages = [list(group) for _, group in groupby(sorted(claims, key=_BY_MESSAGE), key=_MESSAGE)]
    turns: dict[UUID, int] = {}
    found: list[tuple[int, list[Claim]]] = []
    for claimed in messages:
        turn = turns.get(claimed[0].flow, 0)
        turns[claimed[0].flow] = turn + 1
        found.append((turn, claimed))
    if len(turns) > 1:
        found.sort(key=itemgetter(0))
    return [claimed for _, claimed in found]


def prefix_of(claim: Claim) -> bytes:
    """Return the lines that precede the message in a forwarded copy (docs/decisions/0038); empty for any other."""
    return f"Delivered-To: {claim.via}\r\n".encode("utf-8", "replace") if claim.via else b""


def cleaned(result: Result) -> Result:
    """Return `result` with the texts of the remote host as they can be stored, logged and bounced."""
    return Result(
        result.claim,
        result.outcome,
        result.status,
        clean(result.text),
        result.remote_host and clean(result.remote_host),
        result.diagnostic and clean(result.diagnostic),
        result.tls,
        result.reached,
        result.passed,
        result.connection,
    )
