"""Which addresses a client with a right to relay may use as sender, in MAIL FROM and From (docs/decisions/0089)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from auth import metrics
from auth.addresses import parse_sender
from auth.grants import GrantPolicy
from auth.storage.directory import Directory, SenderRow
from mailkit.postgres.rows import Row
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger

log = get_logger()

Level = Literal["off", "log", "enforce"]
_STRICTNESS: dict[Level | None, int] = {None: 0, "off": 0, "log": 1, "enforce": 2}


@dataclass(frozen=True, slots=True)
class Use:
    """Addresses that one client uses as senders. `readable` False: it may use others as well, which could not be read.

    `simulated`: the judgement is neither counted nor logged.
    """

    addresses: Sequence[str]
    client: str | None
    login: UUID | None
    readable: bool = True
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """`refused`: by a rule at `enforce`. `signing`: domains of the addresses that sign for this client, in their order."""

    refused: bool
    signing: list[str]


class Identities:
    """Applies the domains' rules, to a list in one statement."""

    def __init__(self, directory: Directory, clock: Clock, policy: GrantPolicy) -> None:
        self._directory = directory
        self._clock = clock
        self._policy = policy

    async def judge(self, uses: Sequence[Use], where: str) -> list[Judgement]:
        """Return one judgement per use, in order. `where`: the field or command, for the log. Raises Unavailable."""
        rows: list[SenderRow] = []
        counts = []
        for use in uses:
            client = self._policy.holder(use.client)
            senders = [parse_sender(address) for address in use.addresses]
            # without an address the client's own rule is asked for; the empty address is nobody's
            found = [SenderRow(sender.key, sender.domain, client, use.login) for sender in senders]
            if not use.readable or not found:
                found.append(SenderRow("", "", client, use.login))
            rows += found
            counts.append(len(found))
        records = await self._directory.identities(rows, self._clock.now())
        judged, at = [], 0
        for use, count in zip(uses, counts, strict=True):
            judged.append(self._judgement(use, rows[at : at + count], records[at : at + count], where))
            at += count
        return judged

    def _judgement(self, use: Use, rows: Sequence[SenderRow], records: Sequence[Row], where: str) -> Judgement:
        level = max((_level(record) for record in records), key=_STRICTNESS.__getitem__)
        if not use.simulated:
            _note(use, level, where)
        signing = [
            row.domain
            for row, record in zip(rows, records, strict=True)
            if record["signing"] and (record["own_address"] or record["own_domain"] or record["alias"])
        ]
        return Judgement(level == "enforce", [] if level == "enforce" else list(dict.fromkeys(signing)))


def _note(use: Use, level: Level, where: str) -> None:
    """Count a judgement, and log one that a rule has something against."""
    if level == "off":
        metrics.IDENTITIES.labels("ok").inc()
        return
    metrics.IDENTITIES.labels(level).inc()
    log.info(
        "sender_not_own",
        command=where,
        client=use.client,
        account=str(use.login) if use.login else None,
        to=list(use.addresses)[:5],
        action=level,
    )


def _level(record: Row) -> Level:
    """Return what is to be done about one address; `off` if the client may use it."""
    if record["alias"] or record["own_address"] or (record["own_domain"] and record["named_by"] != "mailbox"):
        return "off"
    level: Level = max(record["named_rule"], record["own_rule"], key=_STRICTNESS.__getitem__)
    return level or "off"
