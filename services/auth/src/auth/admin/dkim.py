"""The rules for operators' changes to DKIM keys and to the rule on sender addresses (docs/decisions/0088, 0089)."""

import asyncio

from auth import keys
from auth.admin import models
from auth.admin.accounts import domain_name
from auth.storage.accounts import Accounts
from auth.storage.dkim import DkimKeys
from mailauth.dkim.keys import Algorithm
from mailkit.errors import Conflict
from mailkit.net.dns import DnsError, Resolver, TemporaryDnsError
from mailkit.postgres.rows import Row
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger

log = get_logger()


class DkimRules:
    """The JSON API's operations on the keys and the rule of a domain."""

    def __init__(self, store: DkimKeys, accounts: Accounts, clock: Clock, resolver: Resolver) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock
        self._resolver = resolver

    async def keys(self, name: str) -> list[models.DkimKey]:
        """Return the keys of a domain with their records."""
        return [_key(row) for row in await self._rows(domain_name(name))]

    async def make(self, name: str) -> list[models.DkimKey]:
        """Make a key for each algorithm that has none; repeating it changes nothing."""
        domain = domain_name(name)
        held = {row["algorithm"] for row in await self._rows(domain) if row["state"] != "old"}
        await self._make(domain, [each for each in keys.ALGORITHMS if each not in held])
        return await self.keys(domain)

    async def rotate(self, name: str) -> list[models.DkimKey]:
        """Make a successor for each active key that has none. Raises Conflict if one was replaced in the last seven days."""
        domain = domain_name(name)
        rows = await self._rows(domain)
        coming = {row["algorithm"] for row in rows if row["state"] == "new"}
        wanted = [row["algorithm"] for row in rows if row["state"] == "active" and row["algorithm"] not in coming]
        if not wanted and not coming:
            raise Conflict(f"{domain} has no active key; `postrider domain dkim make {domain}` makes some")
        if not await self._make(domain, wanted):
            raise Conflict(
                f"a key of {domain} was replaced less than seven days ago, and receivers may still ask for it"
            )
        return await self.keys(domain)

    async def check(self, name: str) -> list[models.DkimKey]:
        """Look for the records of new keys now; sign with those that are there."""
        domain = domain_name(name)
        for row in await self._rows(domain):
            if row["state"] == "new":
                await self.look(row)
        return await self.keys(domain)

    async def remove(self, name: str) -> None:
        """Remove all keys of a domain: it signs nothing from now on."""
        domain = domain_name(name)
        await self._rows(domain)
        await self._store.remove(domain)
        log.info("dkim_keys", action="removed", domain=domain)

    async def set_identity(self, name: str, question: models.SetIdentity) -> models.Domain:
        """Set the rule on sender addresses; a domain that signs is at least at `log`."""
        domain = domain_name(name)
        await self._accounts.set_identity(domain, question.level, question.by)
        return models.domain_of(await self._accounts.domain(domain))

    async def look(self, row: Row) -> bool:
        """Look for the record of a new key; if it is there, sign with the key. Raises Unavailable (the database)."""
        try:
            found = await self._resolver.txt(keys.owner(row["selector"], row["domain"]))
        except TemporaryDnsError:
            return False
        except DnsError:
            found = ()
        if not keys.is_published(row["record"], row["algorithm"], found):
            return False
        if not await self._store.activate(row["domain"], row["id"], self._clock.now()):
            return False
        log.info("dkim_keys", action="active", domain=row["domain"], selector=row["selector"])
        return True

    async def succeed(self, domain: str, algorithm: Algorithm, taken: list[str]) -> bool:
        """Make the successor of an active key; False while the one before it is kept. `taken`: selectors in use."""
        made = await asyncio.to_thread(keys.make, algorithm, taken)
        if made is None:
            return False
        await self._store.add(domain, [made], self._clock.now())
        log.info("dkim_keys", action="new", domain=domain, selector=made.selector)
        return True

    async def _make(self, domain: str, wanted: list[Algorithm]) -> bool:
        """Make new keys; False if one has no free selector."""
        taken = [row["selector"] for row in await self._store.of(domain)]
        return all([await self.succeed(domain, each, taken) for each in wanted])

    async def _rows(self, domain: str) -> list[Row]:
        """Return a domain's keys. Raises NotFound for an unknown domain."""
        rows = await self._store.of(domain)
        if not rows:
            await self._accounts.domain(domain)
        return list(rows)


def _key(row: Row) -> models.DkimKey:
    return models.DkimKey(
        id=row["id"],
        domain=row["domain"],
        selector=row["selector"],
        algorithm=row["algorithm"],
        state=row["state"],
        record_name=keys.owner(row["selector"], row["domain"]),
        record=row["record"],
        zone_text=keys.zone_text(row["record"]),
        created_at=row["created_at"],
        since=row["since"],
    )
