"""The check of one login attempt: counters, then the app password, SCRAM's proof, or the main password."""

from collections.abc import Iterable
from functools import partial

from auth.grants import GrantPolicy
from auth.limits import PlanLimits, may_grant, may_log_in
from auth.login import app_passwords
from auth.login.attempts import Try, Verdict
from auth.login.old_hosts import ELSEWHERE, OldHosts, remembered_as
from auth.login.password_cache import PasswordCache
from auth.login.passwords import HashQueue, Passwords, QueueFull
from auth.login.scram import Scram
from auth.login.throttle import CounterKeys, Throttle
from auth.login.tokens import Named
from auth.moves import Move
from auth.storage.logins import Times
from auth_api.wire import AnyLogin, Login, ScramLogin, TokenLogin
from mailkit.mail.address import BadAddress, Networks, client_host, client_network, peer_address
from mailkit.postgres.rows import Row


class Judge:
    """Judges attempts by their rows. Unknown, disabled and wrong cost the same."""

    def __init__(
        self,
        policy: GrantPolicy,
        passwords: Passwords,
        queue: HashQueue,
        throttle: Throttle,
        scram: Scram,
        old_hosts: OldHosts,
        exempt: Networks,
        memory_key: bytes,
    ) -> None:
        self._policy = policy
        self._passwords = passwords
        self._queue = queue
        self._throttle = throttle
        self._scram = scram
        self._old_hosts = old_hosts
        self._exempt = exempt
        self._memory = PasswordCache(memory_key)
        self.window = throttle.window

    def attempt(self, item: AnyLogin, account: str, named: Named | None, limits: PlanLimits) -> Try:
        """Return an attempt with its counters, and the address that may get a grant. `named`: what its access token says."""
        try:
            client = peer_address(item.client_address) if item.client_address else None
        except BadAddress:
            client = None
        exempt = client is not None and client in self._exempt
        # S2, I2: POP3 and IMAP only
        holder = self._policy.holder(client) if item.protocol != "smtp" and may_grant(limits) else None
        key = client_host(client) if client and not exempt else None
        network = client_network(client) if client and not exempt else None
        keys = CounterKeys(account, None if network is None else f"{account} {network}")
        secret = app_passwords.parse(item.password) if isinstance(item, Login) else None
        rented = item.protocol != "smtp" and self._policy.rented(client)
        return Try(item, account, keys, key, holder, exempt, network, secret, client, limits, named, rented)

    def release(self, held: Iterable[str]) -> None:
        """End the counting of wrong proofs, whose failures are in the database."""
        self._memory.release(held)

    async def judge(
        self, attempt: Try, row: Row, times: Times, held: list[str], move: Move | None, *, old_host: bool
    ) -> Verdict:
        """Check the attempt; a right password is of no use by a protocol that the plan has off. The rest: as `_check` says."""
        verdict = await self._check(attempt, row, times, held, move, old_host)
        if verdict.found == "good" and not may_log_in(attempt.login.protocol, attempt.limits):
            return Verdict("off", delay=verdict.delay)
        return verdict

    async def _check(
        self, attempt: Try, row: Row, times: Times, held: list[str], move: Move | None, old_host: bool
    ) -> Verdict:
        """Check the counters, then the credential.

        `held` gets the counters of a wrong proof, for which it counts until it is in the database. `move`: the login is its
        old host's, which is asked if `old_host`.
        """
        usable = row["id"] is not None and row["state"] == "enabled"
        login = attempt.login
        if attempt.named is not None and attempt.named.found == "away":
            return Verdict("busy", 1)
        tag = b""
        if isinstance(login, Login):
            version = row["credential_version"] or 0
            tag = self._memory.tag(row["id"] if usable else None, attempt.account, login.password, version)
            if move is not None:
                tag = self._memory.tag(None, remembered_as(attempt.account), login.password, 0)
        delay = 0.0
        if not attempt.exempt:
            under_way = partial(self._memory.under_way, tag=tag)
            seconds = self._throttle.wait(row, attempt.keys, under_way, times.now)
            if seconds:
                return Verdict("throttled", seconds)
            delay = self._throttle.delay(row, attempt.keys, under_way)
        # an undelayed answer would disclose a right password; from the account's own networks there is no need to hide it
        for_good = delay if row["network_seen"] is None else 0.0
        counted = () if attempt.exempt else attempt.keys.of(row)
        if move is not None and not _checks(login):
            return Verdict("busy", 1)
        if attempt.named is not None:
            return _by_token(attempt, attempt.named, usable, delay, for_good)
        if move is not None and not old_host:
            return ELSEWHERE
        if isinstance(login, ScramLogin):
            if not self._scram.on:
                return Verdict("busy", 1)
            if self._scram.signature(login, attempt.account, row):
                return Verdict("good", delay=for_good)
            self._memory.hold(counted)
            held.extend(counted)
            return Verdict("wrong", delay=delay)
        assert isinstance(login, Login)
        if (
            usable
            and (move is None or login.protocol == "smtp")
            and app_passwords.allows(row, attempt.secret, login.protocol, attempt.address, times.now)
        ):
            return Verdict("good", delay=for_good, app=row["app_number"], relays="smtp" in row["app_protocols"])
        if move is not None and (row["id"] is None or row["main_password"]):
            check = partial(self._memory.check, counted, tag)
            known = row["id"] is not None and self._old_hosts.remembers(tag)
            found = await self._old_hosts.judge(login, attempt.account, row, move, check, known, delay, for_good)
            if found.found == "good":
                self._old_hosts.remember(tag)
            return found
        stored = row["password_hash"] if usable and row["main_password"] else None
        if stored is not None and self._memory.knows(row, tag):
            return Verdict("good", delay=for_good)
        password = login.password
        try:
            checked = await self._memory.check(
                counted, tag, lambda: self._queue.run(lambda: self._passwords.check(stored, password))
            )
        except QueueFull:
            return Verdict("busy", 1)
        if checked.good:
            return Verdict("good", better=checked.replacement, delay=for_good, remember=tag)
        return Verdict("wrong", delay=delay)


def _checks(login: AnyLogin) -> bool:
    """Return whether a login of a mailbox that an old host has can be checked: there passwords only, for sessions and for SMTP."""
    return isinstance(login, Login) or (isinstance(login, TokenLogin) and login.protocol == "smtp")


def _by_token(attempt: Try, named: Named, usable: bool, delay: float, for_good: float) -> Verdict:
    """Judge an access token, which cannot be guessed: unknown and disabled accounts need not cost what wrong passwords do."""
    if named.found == "expired":
        return Verdict("stale", delay=delay)
    good = usable and named.found == "good" and named.mailbox == attempt.account
    return Verdict("good", delay=for_good) if good else Verdict("wrong", delay=delay)
