"""What a domain has of what its plan counts, compared in the transaction that adds to it (docs/decisions/0114)."""

from collections.abc import Sequence

from auth.limits import DomainLimits, limits_of
from mailkit.postgres.pool import Connection, Queries

queries = Queries("auth.storage", "counts.sql")


async def limits_for(connection: Connection, domain: str) -> DomainLimits:
    """Return a domain's limits. If it has a plan, what the plan counts does not change until the transaction ends."""
    row = await connection.fetchrow(queries.plan_of, domain)
    if row is None:
        return DomainLimits(domain, "", limits_of(None))
    await connection.fetchval(queries.lock_counted, domain)
    return DomainLimits(domain, row["plan"], limits_of(row["limits"]))


async def check_new_mailbox(connection: Connection, of: DomainLimits) -> None:
    """Raise Conflict if the domain may have no further mailbox."""
    limits = of.limits
    bounds = [limits.mailboxes] if limits.mailboxes is not None else []
    if limits.messages and limits.domain_messages is not None:
        bounds.append(limits.domain_messages // limits.messages)
    if bounds:
        there = await connection.fetchval(queries.mailboxes, of.domain, min(bounds))
        of.refuse(limits.mailboxes, there + 1, "mailboxes")
        if limits.messages:
            of.refuse(limits.domain_messages, (there + 1) * limits.messages, "messages in its mailboxes together")


async def check_quota(connection: Connection, of: DomainLimits, address: str, quota: int) -> None:
    """Raise Conflict if the quotas of the domain's mailboxes would be too large together."""
    if of.limits.domain_quota is not None:
        others = await connection.fetchval(queries.quotas, of.domain, address)
        of.refuse(of.limits.domain_quota, others + quota, "bytes in the quotas of its mailboxes together")


async def check_forward(connection: Connection, of: DomainLimits, address: str, targets: Sequence[str]) -> None:
    """Raise Conflict if the domain may have no further forward of this kind; one that stays of its kind may be changed."""
    leaves = _leaves(of.domain, targets)
    most = of.limits.forwards if leaves else of.limits.groups
    if most is None:
        return
    before = await connection.fetchval(queries.targets, address)
    if before is None or _leaves(of.domain, before) != leaves:
        there = await connection.fetchval(queries.forwards, of.domain, address, leaves)
        of.refuse(most, there + 1, "forwards" if leaves else "aliases and groups")


def _leaves(domain: str, targets: Sequence[str]) -> bool:
    return any(target.rpartition("@")[2].lower() != domain for target in targets)
