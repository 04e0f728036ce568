"""Logins: one read, hashes for passwords that are not cached, one write (P1, P4, S2, S3, I1, I2, decision 15)."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from msgspec import structs

from auth import metrics
from auth.login.app_passwords import credential
from auth.login.attempts import Try, Verdict, change, good_answer, record
from auth.login.judge import Judge
from auth.login.names import LoginNames
from auth.login.noted import NotedLogins
from auth.login.old_hosts import OldHosts, hand_over
from auth.login.scram import Scram
from auth.login.tokens import AccessTokens
from auth.storage.logins import Change, LoginRows, Times, remembered_answer
from auth_api.wire import AnyLogin, Login, LoginAnswer, LoginOutcome, ScramLogin, TokenLogin
from mailkit.postgres.rows import Row
from mailkit.process.clock import Clock
from mailkit.rpc.proof import LIFE, ProofKeys

#: Answers to attempts that change nothing.
_UNCOUNTED: dict[str, LoginOutcome] = {
    "throttled": "throttled",
    "busy": "busy",
    "stale": "refused",
    "off": "refused",
    "elsewhere": "elsewhere",
}


class LoginService:
    """Answers lists of logins."""

    def __init__(
        self,
        store: LoginRows,
        clock: Clock,
        judge: Judge,
        scram: Scram,
        names: LoginNames,
        *,
        pop3_delay: timedelta,
        padding: timedelta,
        grant: timedelta,
        proofs: ProofKeys,
        noted: NotedLogins,
        tokens: AccessTokens,
        old_hosts: OldHosts,
    ) -> None:
        self._store = store
        self._clock = clock
        self._judge = judge
        self._scram = scram
        self._names = names
        self._pop3_delay = pop3_delay
        self._padding = padding
        self._grant = grant
        self._proofs, self._sending = proofs, proofs.for_sending()
        self._noted = noted
        self._tokens = tokens
        self._old_hosts = old_hosts

    async def answer(self, items: Sequence[AnyLogin], *, old_host: bool = False) -> list[LoginAnswer]:
        """Return one answer per login, in order; equal operation ids get one answer.

        `old_host`: ask old hosts about logins that are theirs, which may take seconds; the answer is `elsewhere` without.
        Raises Unavailable; the same logins may then be sent again.
        """
        unique: dict[UUID, AnyLogin] = {}
        for item in items:
            unique.setdefault(item.operation_id, item)
        answers = dict(zip(unique, await self._answer(list(unique.values()), old_host=old_host), strict=True))
        return [answers[item.operation_id] for item in items]

    async def undo_checks(self, operations: Sequence[UUID]) -> list[bool]:
        """Take back the 60 seconds (P4) of POP3 logins that got no maildrop; return which had begun them.

        Raises Unavailable.
        """
        undone = await self._store.undo_checks(operations)
        return [operation in undone for operation in operations]

    async def _answer(self, items: Sequence[AnyLogin], *, old_host: bool) -> list[LoginAnswer]:
        times = Times(self._clock.now(), self._grant, self._judge.window)
        tries = await self._tries(items)
        if any(isinstance(item, ScramLogin) for item in items):
            await self._scram.ready()
        rows = await self._read(tries, times)
        away = await self._old_hosts.of([t.account for t in tries], rows)
        answers: list[LoginAnswer | None] = [remembered_answer(row) for row in rows]
        new = [n for n, answer in enumerate(answers) if answer is None]
        held: list[str] = []
        try:
            found = await asyncio.gather(
                *(self._judge.judge(tries[n], rows[n], times, held, away.get(n), old_host=old_host) for n in new)
            )
            verdicts = dict(zip(new, found, strict=True))
            if changed := [n for n in away if n in verdicts and verdicts[n].found == "good"]:
                # the mailbox or its password may be new
                for n, row in zip(changed, await self._read([tries[n] for n in changed], times), strict=True):
                    rows[n] = row
            await self._commit(tries, rows, verdicts, answers, times)
        finally:
            self._judge.release(held)
        await self._renew(tries, rows, verdicts)
        final = [answer for answer in answers if answer is not None]
        for t, row, answer in zip(tries, rows, final, strict=True):
            if answer.outcome != "elsewhere":  # the login is asked about again
                record(t, answer)
            if answer.outcome == "ok":
                name, relays = credential(row, answer.credential_version)
                self._noted.note(t, answer, "token" if t.named else name, relays and t.holder is not None)
        return [
            hand_over(t, away[n], answer) if n in away and t.login.protocol != "smtp" else self._prove(t, row, answer)
            for n, (t, row, answer) in enumerate(zip(tries, rows, final, strict=True))
        ]

    async def _read(self, tries: Sequence[Try], times: Times) -> list[Row]:
        return list(
            await self._store.read(
                [t.login.operation_id for t in tries],
                [t.account for t in tries],
                [t.client for t in tries],
                [t.network for t in tries],
                [t.secret.selector if t.secret else None for t in tries],
                times,
            )
        )

    async def _tries(self, items: Sequence[AnyLogin]) -> list[Try]:
        """Return the attempts, with what their access tokens say. Raises Unavailable."""
        tokens = [item for item in items if isinstance(item, TokenLogin)]
        checked = await asyncio.gather(*(self._tokens.check(token.token) for token in tokens))
        # names of both kinds by the same rules: an alias domain's, capitals
        own = await self._names.accounts([each.mailbox for each in checked]) if checked else []
        said = {
            token.operation_id: replace(each, mailbox=account)
            for token, each, account in zip(tokens, checked, own, strict=True)
        }
        asked = [item.login or (said[item.operation_id].mailbox if item.operation_id in said else "") for item in items]
        accounts = await self._names.accounts(asked)
        limits = await self._names.limits(accounts)
        return [
            self._judge.attempt(item, account, said.get(item.operation_id), each)
            for item, account, each in zip(items, accounts, limits, strict=True)
        ]

    async def _commit(
        self,
        tries: Sequence[Try],
        rows: Sequence[Row],
        verdicts: Mapping[int, Verdict],
        answers: list[LoginAnswer | None],
        times: Times,
    ) -> None:
        """Write what the attempts change, and fill in their answers."""
        changes: dict[int, Change] = {}
        for n, verdict in verdicts.items():
            if (outcome := _UNCOUNTED.get(verdict.found)) is not None:
                off, delay = verdict.found == "off", verdict.delay
                answers[n] = LoginAnswer(outcome, retry_after=verdict.retry_after, delay=delay, off=off)
            elif (changed := change(tries[n], rows[n], verdict, times.now, self._delay(tries[n]))) is not None:
                changes[n] = changed
            else:
                answers[n] = good_answer(rows[n], verdict)
        if changes:
            made = await self._store.commit(list(changes.values()), times)
            for n, (answer, granted) in zip(changes, made, strict=True):
                answers[n] = structs.replace(answer, delay=verdicts[n].delay)
                if granted:
                    metrics.GRANTS.inc()

    async def _renew(self, tries: Sequence[Try], rows: Sequence[Row], verdicts: Mapping[int, Verdict]) -> None:
        """Replace outdated hashes, remember passwords that cost a hash, and keep verifiers for SCRAM where there are none, of passwords that were right."""
        better = [(rows[n]["id"], rows[n]["password_hash"], v.better) for n, v in verdicts.items() if v.better]
        if better:
            await self._store.rehash(better)
            metrics.REHASHED.inc(len(better))
        remembered = [
            (rows[n]["id"], rows[n]["credential_version"], v.remember) for n, v in verdicts.items() if v.remember
        ]
        if remembered:
            await self._store.remember(remembered, self._clock.now())
        await self._scram.keep(
            [
                (rows[n], tries[n].account, login.password)
                for n, verdict in verdicts.items()
                if verdict.found == "good" and not verdict.app and isinstance(login := tries[n].login, Login)
            ]
        )

    def _prove(self, attempt: Try, row: Row, answer: LoginAnswer) -> LoginAnswer:
        """Return a good answer with a proof, which mailstore demands, or auth itself of senders, and with SCRAM's ServerSignature."""
        login, mailbox_id = attempt.login, answer.mailbox_id
        limits = attempt.limits
        if limits.login_delay is not None or limits.expire is not None:
            delay, expire = limits.login_delay, limits.expire
            answer = structs.replace(
                answer, login_delay=-1 if delay is None else delay, expire=-1 if expire is None else expire
            )
        if mailbox_id is None:
            return answer
        if isinstance(login, ScramLogin):
            answer = structs.replace(answer, server_signature=self._scram.signature(login, attempt.account, row))
        keys = self._sending if login.protocol == "smtp" else self._proofs
        until = self._clock.timestamp() + LIFE
        return structs.replace(answer, proof=keys.sign(mailbox_id, answer.credential_version, until))

    def _delay(self, attempt: Try) -> timedelta:
        """Return P4's time for the account, by its plan or the setting."""
        seconds = attempt.limits.login_delay
        whole = self._pop3_delay if seconds is None else timedelta(seconds=seconds)
        return max(timedelta(0), whole - self._padding)
