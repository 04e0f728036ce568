"""The check of one login attempt: counters, then the app password, SCRAM's proof, or the main password."""

from collections.abc import Iterable
from functools import partial

from auth.grants import GrantPolicy
from auth.limits import PlanLimits, may_grant, may_log_in
from auth.login import app_passwords
from auth.login.attempts import Try, Verdict
from auth.login.password_cache import PasswordCache
from auth.login.passwords import HashQueue, Passwords, QueueFull
from auth.login.scram import Scram
from auth.login.throttle import CounterKeys, Throttle
from auth.login.tokens import Named
from auth.storage.logins import Times
from auth_api.wire import AnyLogin, Login, ScramLogin
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
        exempt: Networks,
        memory_key: bytes,
    ) -> None:
        self._policy = policy
        self._passwords = passwords
        self._queue = queue
        self._throttle = throttle
        self._scram = scram
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

    async def judge(self, attempt: Try, row: Row, times: Times, held: list[str]) -> Verdict:
        """Check the attempt; a right password is of no use by a protocol that the plan has off. `held`: as `_check` says."""
        verdict = await self._check(attempt, row, times, held)
        if verdict.found == "good" and not may_log_in(attempt.login.protocol, attempt.limits):
            return Verdict("off", delay=verdict.delay)
        return verdict

    async def _check(self, attempt: Try, row: Row, times: Times, held: list[str]) -> Verdict:
        """Check the counters, then the credential.

        `held` gets the counters of a wrong proof, for which it counts until it is in the database.
        """
        usable = row["id"] is not None and row["state"] == "enabled"
        login = attempt.login
        if attempt.named is not None and attempt.named.found == "away":
            return Verdict("busy", 1)
        tag = b""
        if isinstance(login, Login):
            version = row["credential_version"] or 0
            tag = self._memory.tag(row["id"] if usable else None, attempt.account, login.password, version)
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
        if attempt.named is not None:
            return _by_token(attempt, attempt.named, usable, delay, for_good)
        if isinstance(login, ScramLogin):
            if not self._scram.on:
                return Verdict("busy", 1)
            if self._scram.signature(login, attempt.account, row):
                return Verdict("good", delay=for_good)
            self._memory.hold(counted)
            held.extend(counted)
            return Verdict("wrong", delay=delay)
        assert isinstance(login, Login)
        if usable and app_passwords.allows(row, attempt.secret, login.protocol, attempt.address, times.now):
            return Verdict("good", delay=for_good, app=row["app_number"], relays="smtp" in row["app_protocols"])
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


def _by_token(attempt: Try, named: Named, usable: bool, delay: float, for_good: float) -> Verdict:
    """Judge an access token, which nobody guesses: unknown and disabled accounts need not cost what wrong passwords do."""
    if named.found == "expired":
        return Verdict("stale", delay=delay)
    good = usable and named.found == "good" and named.mailbox == attempt.account
    return Verdict("good", delay=for_good) if good else Verdict("wrong", delay=delay)
