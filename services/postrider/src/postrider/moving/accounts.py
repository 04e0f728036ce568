"""Makes the domains, mailboxes and forwards of a plan; what exists already is left as it is, so it can be repeated."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from auth_api.admin import AuthAdmin
from mailkit.errors import BadRequest, Conflict, NotFound
from postrider.moving.limits import plan_name
from postrider.moving.mapping import DomainPlan, PlannedForward, PlannedMailbox
from postrider.moving.notes import Notes

T = TypeVar("T")

#: Calls that are under way at once.
AT_ONCE = 8


class AccountImport:
    """Makes what plans say, with the operators' API of auth. `made` counts domains, aliases, mailboxes, forwards, catch-alls."""

    def __init__(self, client: AuthAdmin, notes: Notes) -> None:
        self._client = client
        self._notes = notes
        self.made: Counter[str] = Counter()

    async def make(self, plan: DomainPlan) -> dict[str, str]:
        """Make a domain and what is in it; return the ids of the plan's mailboxes by address."""
        try:
            domain = await self._client.domain(plan.name)
        except NotFound:
            domain = await self._client.add_domain(plan.name)
            self.made["domains"] += 1
        there = {row["address"]: row for row in await self._client.mailboxes(plan.name)}
        ids: dict[str, str] = {}

        async def mailbox(each: PlannedMailbox) -> None:
            record = there.get(each.address)
            if record is None or (each.address == f"postmaster@{plan.name}" and not record["has_password"]):
                record = await self._mailbox(each, is_there=record is not None)
            if record is not None:
                ids[each.address] = str(record["id"])

        await _all(mailbox, plan.mailboxes)
        forwards = {row["address"] for row in await self._client.forwards(plan.name)}
        await _all(self._forward, [each for each in plan.forwards if each.address not in forwards])
        if domain["catchall"]["kind"] == "bounce":
            await self._catchall(plan)
        await _all(partial(self._alias, plan.name), plan.aliases)
        if plan.limits and domain.get("customer") is None:
            await self._plan(plan)
        return ids

    async def _plan(self, plan: DomainPlan) -> None:
        """Give a domain to a customer of its name, with its plan: last, since limits hold for what is added from then on."""
        name = plan_name(plan.limits)
        try:
            if await _made(self._client.add_plan(name, plan.limits)):
                self.made["plans"] += 1
            if await _made(self._client.add_customer(plan.name, name)):
                self.made["customers"] += 1
            await self._client.set_domain_customer(plan.name, plan.name)
        except (BadRequest, NotFound) as error:
            self._notes.add("no place", plan.name, f"its limits: {error}")

    async def _alias(self, domain: str, alias: str) -> None:
        try:
            await self._client.add_domain(alias, domain)
            self.made["alias_domains"] += 1
        except Conflict:
            if (await self._client.domain(alias))["alias_of"] != domain:
                self._notes.add("no place", alias, f"an alias domain of {domain}: the name is a domain of its own here")
        except (BadRequest, NotFound) as error:
            self._notes.add("no place", alias, f"an alias domain: {error}")

    async def _mailbox(self, each: PlannedMailbox, *, is_there: bool) -> dict[str, object] | None:
        """Make a mailbox; of a postmaster that came with its domain, set the password and the quota."""
        try:
            if is_there:
                if not each.hash:
                    return await self._client.mailbox(each.address)
                record = await self._client.set_quota(each.address, each.quota)
                record = await self._client.set_password(each.address, password_hash=each.hash)
            else:
                record = await self._client.add_mailbox(
                    each.address, password_hash=each.hash or None, quota_limit=each.quota
                )
            if each.disabled:
                await self._client.disable_mailbox(each.address)
        except Conflict as error:
            if is_there or each.disabled:  # postmaster's cannot be disabled
                self._notes.add("no place", each.address, str(error))
            return await self._client.mailbox(each.address)
        except BadRequest as error:
            self._notes.add("no place", each.address, str(error))
            return None
        self.made["mailboxes"] += 1
        return record

    async def _forward(self, each: PlannedForward) -> None:
        try:
            await self._client.add_forward(each.address, each.targets, keep_copy=each.keep_copy)
            self.made["forwards"] += 1
        except (BadRequest, NotFound) as error:
            self._notes.add("no place", each.address, f"a forward: {error}")
        except Conflict:
            pass  # an earlier run, whose answer was lost, has made it

    async def _catchall(self, plan: DomainPlan) -> None:
        wanted = plan.catchall
        try:
            if wanted.mailbox:
                await self._client.set_catchall(plan.name, "mailbox", mailbox=wanted.mailbox)
            elif wanted.targets:
                await self._client.set_catchall(plan.name, "forward", targets=wanted.targets)
            else:
                return
            self.made["catchalls"] += 1
        except (BadRequest, NotFound) as error:
            self._notes.add("no place", plan.name, f"its catch-all: {error}")


async def _made(adding: Awaitable[object]) -> bool:
    """Await an addition; False if it is there already."""
    try:
        await adding
    except Conflict:
        return False
    return True


async def _all(do: Callable[[T], Awaitable[None]], items: Sequence[T]) -> None:
    """Call `do` for all items, AT_ONCE at a time."""
    waiting = iter(items)

    async def work() -> None:
        for item in waiting:
            await do(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(AT_ONCE, len(items))):
            group.create_task(work())
