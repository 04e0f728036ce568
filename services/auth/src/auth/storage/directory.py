"""Reads of addresses, rights to relay and sessions: one statement per list."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Queries, translated

queries = Queries("auth.storage", "directory.sql")
#: Time limit of the frequent statements (seconds): callers give up after 8.
PATIENCE = 6.0
#: How long a domain known not to be local is not looked up again: a new one is in force within 5 s (docs/contract.md).
FOREIGN_SECONDS = 1.0
MOST_FOREIGN = 20_000


@dataclass(frozen=True, slots=True)
class SenderRow:
    """A MAIL question in the form that the tables compare: lower case, normalised; "" for the null sender."""

    sender: str
    domain: str
    client: str | None
    login: UUID | None


@dataclass(frozen=True, slots=True)
class Box:
    """A mailbox that accepts mail."""

    id: UUID
    address: str
    quota_limit: int
    limit_version: int


@dataclass(frozen=True, slots=True)
class AddressEntry:
    """What receives mail for an address of a local domain."""

    mailbox: Box | None
    forward: tuple[str, ...] = ()
    keep_copy: bool = False
    catchall_mailbox: Box | None = None
    catchall_forward: tuple[str, ...] = ()


class Directory:
    """The statements of `directory.sql`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._foreign: dict[str, float] = {}

    async def senders(self, rows: Sequence[SenderRow], now: datetime) -> list[asyncpg.Record]:
        """Return one record (bad, local, how, mailbox_id, address, domain, named_rule, own_rule) per row, in order."""
        return await self._ask(queries.senders, rows, now)

    async def identities(self, rows: Sequence[SenderRow], now: datetime) -> list[asyncpg.Record]:
        """Return one record (named_rule, named_by, signing, own_rule, own_address, own_domain, alias) per row, in order."""
        return await self._ask(queries.identities, rows, now)

    async def _ask(self, statement: str, rows: Sequence[SenderRow], now: datetime) -> list[asyncpg.Record]:
        async with translated():
            found: list[asyncpg.Record] = await self._pool.fetch(
                statement,
                range(len(rows)),
                [row.sender for row in rows],
                [row.domain for row in rows],
                [row.client for row in rows],
                [row.login for row in rows],
                now,
                timeout=PATIENCE,
            )
        return found

    async def lookup(self, addresses: Sequence[tuple[str, str]]) -> dict[str, AddressEntry]:
        """Look up each (address, domain), both normalised; addresses of domains that are not local are left out."""
        now = time.monotonic()
        asked = [(address, domain) for address, domain in addresses if self._foreign.get(domain, 0.0) < now]
        if not asked:
            return {}
        async with translated():
            rows = await self._pool.fetch(
                queries.lookup,
                range(len(asked)),
                [address for address, _ in asked],
                [domain for _, domain in asked],
                [_without_tag(address, domain) for address, domain in asked],
                timeout=PATIENCE,
            )
        ours = {asked[row["n"]][1] for row in rows}
        if len(self._foreign) > MOST_FOREIGN:
            self._foreign.clear()
        self._foreign |= {domain: now + FOREIGN_SECONDS for _, domain in asked if domain not in ours}
        return {asked[row["n"]][0]: _entry(asked[row["n"]][0], row) for row in rows}

    async def charge(self, counts: Mapping[UUID, int], hour: datetime, *, count: bool = True) -> dict[UUID, int]:
        """Charge relayed recipients to their accounts; return each account's new sum for this hour. `count` False: only look."""
        statement = queries.charge if count else queries.charged
        async with translated():
            rows = await self._pool.fetch(statement, list(counts), list(counts.values()), hour, timeout=PATIENCE)
        return {row["mailbox_id"]: row["used"] for row in rows}

    async def sessions(self, items: Sequence[tuple[UUID, int]], now: datetime) -> list[str | None]:
        """Return for each (mailbox, credential version), in order, the mailbox's domain; None if it is not valid at `now`."""
        async with translated():
            rows = await self._pool.fetch(
                queries.sessions,
                range(len(items)),
                [box for box, _ in items],
                [version for _, version in items],
                now,
                timeout=PATIENCE,
            )
        return [row["domain"] for row in rows]

    async def domains(self, names: Sequence[str]) -> list[asyncpg.Record]:
        """Return (name, alias_of, limits) of those domains that are aliases or a customer's."""
        async with translated():
            return list(await self._pool.fetch(queries.domains, names, timeout=PATIENCE))

    async def drop_grants(self, held: Sequence[tuple[str, str]]) -> None:
        """Delete the grants of the mailboxes of a domain at a client address, for each (client, domain)."""
        async with translated():
            await self._pool.execute(
                queries.drop_grants, [client for client, _ in held], [domain for _, domain in held], timeout=PATIENCE
            )

    async def oldest_domain(self) -> str | None:
        async with translated():
            name: str | None = await self._pool.fetchval(queries.oldest_domain, timeout=PATIENCE)
        return name


def _without_tag(address: str, domain: str) -> str | None:
    """Return `name@domain` for `name+tag@domain`; None for an address without a tag (docs/decisions/0107)."""
    name, plus, _ = address.removesuffix(f"@{domain}").partition("+")
    return f"{name}@{domain}" if plus and name else None


def _entry(address: str, row: asyncpg.Record) -> AddressEntry:
    if row["domain"] != "open":
        return AddressEntry(None)  # a closing domain accepts no mail
    if row["base"] is not None:
        return AddressEntry(None, (row["base"],))
    box = Box(row["id"], address, row["quota_limit"], row["limit_version"]) if row["id"] is not None else None
    catchall = (
        Box(row["catchall_id"], row["catchall_address"], row["catchall_quota"], row["catchall_version"])
        if row["catchall"] == "mailbox" and row["catchall_id"] is not None
        else None
    )
    return AddressEntry(
        box, tuple(row["targets"] or ()), bool(row["keep_copy"]), catchall, tuple(row["catchall_targets"] or ())
    )
