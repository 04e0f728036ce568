"""Connections for the operators' API: each statement runs in a transaction that sees what its caller may see (docs/decisions/0118).

Row-level security confines the role `postrider_scoped`, which such a transaction takes for callers that are confined. Who
acts is a context variable, so that no statement can be run without: a request sets it, and background work says `service`.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import asyncpg

from mailkit.errors import Conflict, Forbidden, Unavailable
from mailkit.postgres.pool import Connection
from mailkit.postgres.roles import SCOPED
from mailkit.rpc.caller import Caller

_BEGIN = """
select set_config('role', $1, true), set_config('postrider.domain', $2, true), set_config('postrider.customer', $3, true),
       set_config('postrider.actor', $4, true), set_config('postrider.actor_role', $5, true),
       set_config('postrider.token', $6, true), set_config('postrider.source', $7, true),
       set_config('postrider.action', $8, true), set_config('transaction_read_only', $9, true)
"""


@dataclass(frozen=True, slots=True)
class Acting:
    """A request: its caller, the client's IP address, the operation. `caller` None: the service itself."""

    caller: Caller | None
    source: str = ""
    action: str = ""


_acting: ContextVar[Acting] = ContextVar("acting")


def act(acting: Acting) -> None:
    """Set who acts in this task and those that it starts."""
    _acting.set(acting)


@contextmanager
def service() -> Iterator[None]:
    """Act as the service itself, which sees all rows, in the block."""
    token = _acting.set(Acting(None))
    try:
        yield
    finally:
        _acting.reset(token)


class CallerPool:
    """The pool as storage of the operators' API uses it. A statement without anybody who acts is an error (LookupError)."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """Open a transaction of the caller. Raises Forbidden and Conflict for what a confined one may not see or change."""
        acting = _acting.get()
        confined = acting.caller is not None and acting.caller.confined
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await _begin(connection, acting)
                yield connection
        except asyncpg.ReadOnlySQLTransactionError:
            if acting.caller is None or acting.caller.writes:
                raise
            raise Forbidden("this token only reads") from None
        except asyncpg.InsufficientPrivilegeError:
            if not confined:
                raise
            raise Forbidden("this is more than the token may change; ask an operator") from None
        except asyncpg.ForeignKeyViolationError:
            if not confined:
                raise
            raise Conflict("something that this token does not see still refers to it; ask an operator") from None

    async def fetch(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        async with self.acquire() as connection:
            return list(await connection.fetch(statement, *values))

    async def fetchrow(self, statement: str, *values: Any) -> asyncpg.Record | None:
        async with self.acquire() as connection:
            return await connection.fetchrow(statement, *values)

    async def fetchval(self, statement: str, *values: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.fetchval(statement, *values)

    async def execute(self, statement: str, *values: Any) -> str:
        async with self.acquire() as connection:
            return str(await connection.execute(statement, *values))


async def _begin(connection: Connection, acting: Acting) -> None:
    """Confine the transaction to what the caller may see, and say who acts to the audit. Raises Unavailable."""
    caller = acting.caller
    if caller is None:
        return
    try:
        await connection.execute(
            _BEGIN,
            SCOPED if caller.confined else "none",
            caller.domain or "",
            str(caller.customer or "") if caller.domain is None else "",
            caller.name,
            caller.role,
            str(caller.token_id or ""),
            acting.source,
            acting.action,
            "off" if caller.writes else "on",
        )
    except (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidParameterValueError) as error:
        raise Unavailable(
            f"tokens of customers and domains need the database role {SCOPED}: let an administrator of the database grant it to "
            f"the service's role ({error.args[0]})"
        ) from error
