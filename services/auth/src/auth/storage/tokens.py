"""Tokens for the operators' API: rows of `auth.tokens`, and the hashes of their secrets."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from auth.storage.accounts import no_domain
from auth.storage.callers import CallerPool
from auth.storage.customers import customer_id
from mailkit.errors import Conflict, NotFound
from mailkit.postgres.pool import Queries, translated
from mailkit.rpc.caller import Caller

queries = Queries("auth.storage", "tokens.sql")
Row = asyncpg.Record
#: Tokens of one domain or one customer: more are a script that makes one for each run.
MOST_TOKENS = 100


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to be stored; `hash`: SHA-256 of its text."""

    id: UUID
    name: str
    role: str
    customer_id: UUID | None
    domain: str | None
    made_by: str
    created_at: datetime
    expires_at: datetime | None
    hash: bytes


class TokenRows:
    """The statements of `tokens.sql`. `pool`: for the look-up of a request's token, which precedes its caller."""

    def __init__(self, pool: asyncpg.Pool, callers: CallerPool) -> None:
        self._pool = pool
        self._callers = callers

    async def caller(self, hashed: bytes, now: datetime) -> Caller | None:
        """Return the caller of the token with this hash; None if there is none at `now`."""
        async with translated():
            row = await self._pool.fetchrow(queries.caller, hashed, now)
        if row is None:
            return None
        domain, customer = row["domain"], row["customer_id"]
        return Caller(row["role"], row["name"], row["id"], None if domain else customer, domain, row["expires_at"])

    async def add(self, token: NewToken, customer: str | None) -> None:
        """Add a token; `customer`: a name in place of its `customer_id`. Raises NotFound (the domain, the customer), Conflict."""
        async with translated(), self._callers.acquire() as connection:
            owner = token.customer_id if customer is None else await customer_id(connection, customer)
            if token.domain is not None:
                row = await connection.fetchrow(queries.domain_customer, token.domain)
                if row is None:
                    raise no_domain(token.domain)
                owner = owner or row["customer_id"]
                if owner != row["customer_id"]:
                    raise Conflict(f"{token.domain} does not belong to {customer}")
            if (token.domain or owner) and await connection.fetchval(queries.count, token.domain, owner) >= MOST_TOKENS:
                raise Conflict(
                    f"there are {MOST_TOKENS} such tokens; revoke those that are not used (`postrider token ls`)"
                )
            await connection.execute(
                queries.add,
                token.id,
                token.name,
                token.role,
                owner,
                token.domain,
                token.made_by,
                token.created_at,
                token.expires_at,
            )
            await connection.execute(queries.add_secret, token.hash, token.id)

    async def tokens(self, customer: UUID | None, domain: str | None, after: UUID, limit: int) -> list[Row]:
        """Return tokens in the order in which they were made, above `after`, of one domain, one customer or all."""
        async with translated():
            if domain is not None:
                return await self._callers.fetch(queries.tokens_of_domain, after, limit, domain)
            if customer is not None:
                return await self._callers.fetch(queries.tokens_of_customer, after, limit, customer)
            return await self._callers.fetch(queries.tokens, after, limit)

    async def token(self, token: UUID) -> Row:
        """Return a token. Raises NotFound."""
        async with translated():
            row = await self._callers.fetchrow(queries.token, token)
        if row is None:
            raise _unknown(token)
        return row

    async def rotate(self, token: UUID, hashed: bytes, until: datetime) -> None:
        """Give a token another secret; the present one is accepted until `until`, those before it no longer. Raises NotFound."""
        async with translated(), self._callers.acquire() as connection:
            if await connection.fetchval(queries.lock, token) is None:
                raise _unknown(token)
            await connection.execute(queries.drop_old, token)
            await connection.execute(queries.end_current, token, until)
            await connection.execute(queries.add_secret, hashed, token)

    async def revoke(self, token: UUID) -> None:
        """Revoke a token with its secrets. Raises NotFound."""
        async with translated():
            if await self._callers.fetchval(queries.revoke, token) is None:
                raise _unknown(token)


def _unknown(token: UUID) -> NotFound:
    return NotFound(f"there is no token {token}; `postrider token ls` shows what there is")
