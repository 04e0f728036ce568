"""Logins: one read, hashes for passwords that are not cached, one write (P1, P4, S2, S3, I1, I2, decision 15)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Literal
from uuid import UUID

from msgspec import structs

from auth import metrics
from auth.grants import GrantPolicy
from auth.login.password_cache import PasswordCache
from auth.login.passwords import HashQueue, Passwords, QueueFull
from auth.login.throttle import CounterKeys, Throttle
from auth.storage.logins import NETWORK_RENEWED, Change, LoginRows, Times, remembered_answer
from auth_api.wire import Login, LoginAnswer
from mailkit.mail.address import BadAddress, Networks, client_host, client_network, parse_login, peer_address
from mailkit.postgres.rows import Row
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from mailkit.rpc.proof import LIFE, ProofKeys

log = get_logger()

Found = Literal["good", "wrong", "throttled", "busy"]
#: Longest account name in a counter's key (characters); a longer login name is cut.
LONGEST_KEY = 320


@dataclass(frozen=True, slots=True)
class Try:
    """One login attempt: its names normalised, its counters, and the address that may get a grant (`holder`)."""

    login: Login
    account: str
    keys: CounterKeys
    client: str | None
    holder: str | None
    exempt: bool
    network: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of the password check; `better` replaces an outdated hash.

    `delay`: seconds by which the answer is delayed, also for a right password if the network is not the account's own
    (docs/decisions/0049).
    """

    found: Found
    retry_after: int = 0
    better: str | None = None
    delay: float = 0.0


class LoginService:
    """Answers lists of logins."""

    def __init__(
        self,
        store: LoginRows,
        clock: Clock,
        policy: GrantPolicy,
        passwords: Passwords,
        queue: HashQueue,
        throttle: Throttle,
        *,
        pop3_delay: timedelta,
        grant: timedelta,
        proofs: ProofKeys,
        exempt: Networks | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._policy = policy
        self._passwords = passwords
        self._queue = queue
        self._throttle = throttle
        self._pop3_delay = pop3_delay
        self._grant = grant
        self._proofs = proofs
        self._exempt = exempt or Networks()
        self._memory = PasswordCache()

    async def answer(self, items: Sequence[Login]) -> list[LoginAnswer]:
        """Return one answer per login, in order; equal operation ids get one answer.

        Raises Unavailable; the same logins may then be sent again.
        """
        unique: dict[UUID, Login] = {}
        for item in items:
            unique.setdefault(item.operation_id, item)
        answers = dict(zip(unique, await self._answer(list(unique.values())), strict=True))
        return [answers[item.operation_id] for item in items]

    async def undo_checks(self, operations: Sequence[UUID]) -> list[bool]:
        """Take back the 60 seconds (P4) of POP3 logins that got no maildrop; return which had begun them.

        Raises Unavailable.
        """
        undone = await self._store.undo_checks(operations)
        return [operation in undone for operation in operations]

    async def _answer(self, items: Sequence[Login]) -> list[LoginAnswer]:
        times = Times(self._clock.now(), self._pop3_delay, self._grant, self._throttle.window)
        tries = [self._try(item) for item in items]
        rows = await self._store.read(
            [item.operation_id for item in items],
            [t.account for t in tries],
            [t.client for t in tries],
            [t.network for t in tries],
            times,
        )
        answers: list[LoginAnswer | None] = [remembered_answer(row) for row in rows]
        new = [n for n, answer in enumerate(answers) if answer is None]
        verdicts = await asyncio.gather(*(self._judge(tries[n], rows[n], times) for n in new))
        changes: dict[int, Change] = {}
        delays = {n: verdict.delay for n, verdict in zip(new, verdicts, strict=True)}
        for n, verdict in zip(new, verdicts, strict=True):
            if verdict.found in ("throttled", "busy"):
                answers[n] = LoginAnswer(
                    "throttled" if verdict.found == "throttled" else "busy", retry_after=verdict.retry_after
                )
            elif (change := _change(tries[n], rows[n], verdict, times.now)) is not None:
                changes[n] = change
            else:
                answers[n] = _ok(rows[n], verdict.delay)
        if changes:
            made = await self._store.commit(list(changes.values()), times)
            for n, (answer, granted) in zip(changes, made, strict=True):
                answers[n] = structs.replace(answer, delay=delays[n])
                if granted:
                    metrics.GRANTS.inc()
        await self._replace_outdated(
            [
                (rows[n]["id"], rows[n]["password_hash"], verdict.better)
                for n, verdict in zip(new, verdicts, strict=True)
                if verdict.better
            ]
        )
        final = [answer for answer in answers if answer is not None]
        for t, answer in zip(tries, final, strict=True):
            _tell(t, answer)
        return [self._prove(t.login, answer) for t, answer in zip(tries, final, strict=True)]

    def _prove(self, login: Login, answer: LoginAnswer) -> LoginAnswer:
        """Return the answer with the proof that mailstore demands; logins by SMTP get none."""
        if answer.mailbox_id is None or login.protocol == "smtp":
            return answer
        until = self._clock.timestamp() + LIFE
        return structs.replace(answer, proof=self._proofs.sign(answer.mailbox_id, answer.credential_version, until))

    def _try(self, item: Login) -> Try:
        try:
            account = str(parse_login(item.login))
        except BadAddress:
            account = item.login.replace("\x00", "").strip().lower()
        try:
            client = peer_address(item.client_address) if item.client_address else None
        except BadAddress:
            client = None
        exempt = client is not None and client in self._exempt
        holder = self._policy.holder(client) if item.protocol != "smtp" else None  # S2, I2: POP3 and IMAP only
        key = client_host(client) if client and not exempt else None
        network = client_network(client) if client and not exempt else None
        account = account[:LONGEST_KEY]
        keys = CounterKeys(account, None if network is None else f"{account} {network}")
        return Try(item, account, keys, key, holder, exempt, network)

    async def _judge(self, attempt: Try, row: Row, times: Times) -> Verdict:
        """Check the counters, then the cache, then the hash: unknown, disabled and wrong cost the same one hash."""
        usable = row["id"] is not None and row["state"] == "enabled"
        stored = row["password_hash"] if usable else None
        tag = self._memory.tag(
            row["id"] if usable else None, attempt.account, attempt.login.password, row["credential_version"] or 0
        )
        delay = 0.0
        if not attempt.exempt:
            under_way = partial(self._memory.under_way, tag=tag)
            seconds = self._throttle.wait(row, attempt.keys, under_way, times.now)
            if seconds:
                return Verdict("throttled", seconds)
            delay = self._throttle.delay(row, attempt.keys, under_way)
        # an undelayed answer would disclose a right password; from the account's own networks there is no need to hide it
        for_good = delay if row["network_seen"] is None else 0.0
        if stored is not None and self._memory.knows(tag):
            return Verdict("good", delay=for_good)
        try:
            checked = await self._memory.check(
                () if attempt.exempt else attempt.keys.of(row),
                tag,
                lambda: self._queue.run(lambda: self._passwords.check(stored, attempt.login.password)),
            )
        except QueueFull:
            return Verdict("busy", 1)
        if checked.good:
            return Verdict("good", better=checked.replacement, delay=for_good)
        return Verdict("wrong", delay=delay)

    async def _replace_outdated(self, better: list[tuple[UUID, str, str]]) -> None:
        if better:
            await self._store.rehash(better)
            metrics.REHASHED.inc(len(better))


def _change(attempt: Try, row: Row, verdict: Verdict, now: datetime) -> Change | None:
    """Return what this attempt writes; None if nothing.

    A right password over SMTP, or over IMAP without a grant, writes nothing when no counter is reset and no network is added.
    """
    good, pop3 = verdict.found == "good", attempt.login.protocol == "pop3"
    seen = row["network_seen"]
    # a right password resets the counter of its network only: resetting that of all others would give them new guesses
    reset = good and row["network_failures"] > 0
    learns = good and attempt.network is not None and (seen is None or seen < now - NETWORK_RENEWED)
    if good and not pop3 and not reset and not learns and attempt.holder is None:
        return None
    stranger = attempt.account if seen is None and not attempt.exempt else None
    return Change(
        attempt.login.operation_id,
        good,
        pop3,
        row["id"] if good else None,
        row["credential_version"] or 0,
        stranger,
        attempt.keys.network,
        attempt.client,
        attempt.holder if good else None,
        reset,
        attempt.network if learns else None,
    )


def _ok(row: Row, delay: float) -> LoginAnswer:
    return LoginAnswer(
        "ok",
        row["id"],
        row["box_address"],
        row["credential_version"],
        row["box_quota"],
        row["box_version"],
        delay=delay,
    )


def _tell(attempt: Try, answer: LoginAnswer) -> None:
    metrics.LOGINS.labels(attempt.login.protocol, answer.outcome).inc()
    log.info(
        "login" if answer.outcome == "ok" else "login_refused",
        protocol=attempt.login.protocol,
        account=attempt.account,
        client=attempt.login.client_address,
        outcome=answer.outcome,
    )
