"""Auth in memory, for the tests of its callers: the methods of `AuthClient`, without hashes, limits or throttling.

`services/auth/tests/test_auth_contract.py` runs the same cases on this and on the real service.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import structs

from auth_api import wire
from mailkit.errors import Unavailable, Unproven
from mailkit.ids import new_id
from mailkit.mail.address import BadAddress, parse_address, parse_login, peer_address
from mailkit.mail.scram import auth_message
from mailkit.mail.scram_keys import LEAST_ITERATIONS, derive
from mailkit.rpc.proof import LIFE, RENEWABLE, ProofKeys, expires

#: The salt of every account.
SALT = b"salt of the fake"


@dataclass
class FakeMailbox:
    """An account; tests change its fields as needed."""

    id: UUID
    address: str
    password: str
    enabled: bool = True
    credential_version: int = 1
    quota_limit: int = 1024**3
    limit_version: int = 1
    last_pop3_login: datetime | None = None


@dataclass
class FakeAuth:
    """The fake service: `FakeAuth().add_mailbox("a@site.com", "secret")`.

    `away = True` makes every method raise Unavailable. `delay`: the delay in every answer to a login (seconds).
    """

    open_smtp: timedelta = timedelta(hours=1)
    pop3_delay: timedelta = timedelta(seconds=60)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    away: bool = False
    domains: set[str] = field(default_factory=set)
    mailboxes: dict[str, FakeMailbox] = field(default_factory=dict)
    forwards: dict[str, tuple[list[str], bool]] = field(default_factory=dict)
    catchall: dict[str, list[str]] = field(default_factory=dict)
    badmailfrom: set[str] = field(default_factory=set)
    enforced: set[str] = field(default_factory=set)
    """Domains whose addresses only their own mailboxes may use as senders, and whose mailboxes use no others."""
    grants: dict[tuple[str, UUID], datetime] = field(default_factory=dict)
    answered: dict[UUID, wire.LoginAnswer] = field(default_factory=dict)
    checks: dict[UUID, tuple[UUID, datetime]] = field(default_factory=dict)
    elsewhere: dict[str, wire.OldHost] = field(default_factory=dict)
    """Addresses whose mail is at an old host."""
    delay: float = 0.0
    bounce_keys: list[tuple[wire.DkimSigner, Callable[[bytes], bytes]]] = field(default_factory=list)
    """Who signs our own bounces, with a function from a hash to its signature."""
    proofs: ProofKeys = field(default_factory=lambda: ProofKeys([b"of the fake"]))

    def add_mailbox(self, address: str, password: str) -> FakeMailbox:
        """Add an account, and its domain if it is new."""
        key = str(parse_login(address))
        self.domains.add(key.rpartition("@")[2])
        self.mailboxes[key] = FakeMailbox(new_id(), key, password)
        return self.mailboxes[key]

    async def senders(self, items: Sequence[wire.SenderQuestion]) -> list[wire.SenderAnswer]:
        self._look_away()
        answers = []
        for item in items:
            key, domain = _key(item.mail_from)
            bad = bool(key) and (key in self.badmailfrom or f"@{domain}" in self.badmailfrom)
            local = domain in self.domains and item.mail_from == item.mail_from.strip()
            right = self._right(key, domain, item.client_address, item.login_mailbox)
            ruled = bool(right) and self._ruled(domain, item.client_address, item.login_mailbox)
            allowed = not key or self._may_use(domain, item.client_address, item.login_mailbox)
            rule: Any = "some" if ruled else "none" if right else ""
            answers.append(wire.SenderAnswer(bad, local, right, not right or allowed, rule))
        return answers

    async def authors(self, items: Sequence[wire.AuthorQuestion]) -> list[wire.AuthorAnswer]:
        """Apply `enforced` to From; no domain has keys here."""
        self._look_away()
        return [self._author(item) for item in items]

    async def signatures(self, items: Sequence[wire.SignatureQuestion]) -> list[wire.SignatureAnswer]:
        self._look_away()
        return [wire.SignatureAnswer([b"" for _ in item.digests]) for item in items]

    async def bounce_signatures(
        self, items: Sequence[wire.BounceSignatureQuestion], *, timeout: float | None = None
    ) -> list[wire.BounceSignatureAnswer]:
        """Sign with `bounce_keys`."""
        self._look_away()
        signers = [signer for signer, _ in self.bounce_keys]
        by_selector = {signer.selector: sign for signer, sign in self.bounce_keys}
        return [
            wire.BounceSignatureAnswer(
                signers, [by_selector[d.selector](d.octets) if d.selector in by_selector else b"" for d in item.digests]
            )
            for item in items
        ]

    async def recipients(self, items: Sequence[wire.RecipientQuestion]) -> list[wire.RecipientAnswer]:
        self._look_away()
        return [self._recipient(item) for item in items]

    async def uncharged_recipients(self, items: Sequence[wire.RecipientQuestion]) -> list[wire.RecipientAnswer]:
        return await self.recipients(items)

    async def logins(self, items: Sequence[wire.Login]) -> list[wire.LoginAnswer]:
        self._look_away()
        answers = []
        for item in items:
            answer = self.answered.get(item.operation_id) or self._login(item)
            if answer.outcome != "elsewhere":
                self.answered[item.operation_id] = answer
            answers.append(answer)
        return [structs.replace(answer, delay=self.delay) for answer in answers]

    async def old_host_logins(self, items: Sequence[wire.Login]) -> list[wire.LoginAnswer]:
        """Return the answers of `logins`; those of `elsewhere` are handed to that host."""
        self._look_away()
        return [self.answered.setdefault(item.operation_id, self._login(item, here=False)) for item in items]

    async def scram_offers(self, items: Sequence[wire.ScramQuestion]) -> list[wire.ScramOffer]:
        self._look_away()
        return [wire.ScramOffer(SALT, LEAST_ITERATIONS, new_id().hex) for _ in items]

    async def scram_logins(self, items: Sequence[wire.ScramLogin]) -> list[wire.LoginAnswer]:
        self._look_away()
        answers = [self.answered.setdefault(item.operation_id, self._scram_login(item)) for item in items]
        return [structs.replace(answer, delay=self.delay) for answer in answers]

    async def token_logins(self, items: Sequence[wire.TokenLogin]) -> list[wire.LoginAnswer]:
        """A mailbox's password is its token, too."""
        return await self.logins(
            [wire.Login(i.operation_id, i.protocol, i.login, i.token, i.client_address) for i in items]
        )

    async def undo_checks(self, operations: Sequence[UUID]) -> list[bool]:
        self._look_away()
        undone = []
        for operation in operations:
            made = self.checks.pop(operation, None)
            box = next((box for box in self.mailboxes.values() if made and (box.id, box.last_pop3_login) == made), None)
            if box is not None:
                box.last_pop3_login = None
            undone.append(box is not None)
        return undone

    async def recheck(self, items: Sequence[wire.SessionQuestion]) -> wire.SessionAnswers:
        """Return the answers of `sessions`; each good proof past half of its lifetime is replaced."""
        good = await self.sessions(items)
        half = self.now().timestamp() + LIFE / 2
        old = [said and bool(item.proof) and expires(item.proof) < half for item, said in zip(items, good, strict=True)]
        return wire.SessionAnswers(
            good,
            proofs=[self._renew(i) if o else b"" for i, o in zip(items, old, strict=True)],
        )

    async def sessions(self, items: Sequence[wire.SessionQuestion]) -> list[bool]:
        self._look_away()
        good = {(box.id, box.credential_version) for box in self.mailboxes.values() if box.enabled}
        return [(item.mailbox_id, item.credential_version) in good for item in items]

    async def aclose(self) -> None:
        """Do nothing: no connection is open."""

    def _look_away(self) -> None:
        if self.away:
            raise Unavailable("auth is away")

    def _right(self, key: str, domain: str, client: str | None, login: UUID | None) -> wire.RelayRight | None:
        boxes = {box.id: box for box in self.mailboxes.values() if box.enabled}
        if login in boxes:
            return wire.RelayRight("auth", boxes[login].id, boxes[login].address)
        live = [
            (granted, boxes[box])
            for (address, box), granted in self.grants.items()
            if client and address == peer_address(client) and box in boxes and granted + self.open_smtp > self.now()
        ]
        if not live:
            return None
        granted, box = max(
            live, key=lambda g: (g[1].address == key, g[1].address.endswith(f"@{domain}") and bool(domain), g[0])
        )
        return wire.RelayRight("grant", box.id, box.address, granted.timestamp())

    def _own(self, client: str | None, login: UUID | None) -> set[str]:
        """Return the domains of the client's login, or of its grants."""
        right = self._right("", "", None, login)
        if right is not None:
            return {right.address.rpartition("@")[2]}
        granted = [box for address, box in self.grants if client and address == peer_address(client)]
        return {each.address.rpartition("@")[2] for each in self.mailboxes.values() if each.id in granted}

    def _ruled(self, domain: str, client: str | None, login: UUID | None) -> bool:
        own = self._own(client, login)
        return domain in self.enforced or (bool(own) and own <= self.enforced)

    def _may_use(self, domain: str, client: str | None, login: UUID | None) -> bool:
        return domain in self._own(client, login) or not self._ruled(domain, client, login)

    def _author(self, item: wire.AuthorQuestion) -> wire.AuthorAnswer:
        domains = [_key(each)[1] for each in item.addresses] + ([] if item.readable and item.addresses else [""])
        return wire.AuthorAnswer(
            all(self._may_use(domain, item.client_address, item.login_mailbox) for domain in domains), []
        )

    def _recipient(self, item: wire.RecipientQuestion) -> wire.RecipientAnswer:
        text = item.address.strip()
        if text.lower() == wire.BARE_POSTMASTER and self.domains:
            text = f"{wire.BARE_POSTMASTER}@{sorted(self.domains)[0]}"
        if text.startswith("@"):
            text = text.partition(":")[2]
        try:
            address = parse_address(text)
        except BadAddress:
            return wire.RecipientAnswer("bad_address", [])
        if address.domain not in self.domains:
            right = self._right(*_key(item.mail_from), item.client_address, item.login_mailbox)
            if right is None:
                return wire.RecipientAnswer("not_relayed", [])
            return wire.RecipientAnswer("accepted", [wire.Target(str(address))], right.mailbox_id)
        try:
            targets = self._expand(str(address), ())
        except RecursionError:
            return wire.RecipientAnswer("loop", [])
        return wire.RecipientAnswer("accepted" if targets else "no_mailbox", targets)

    def _expand(self, text: str, path: tuple[str, ...]) -> list[wire.Target]:
        key, domain = _key(text)
        via = path[-1] if path else ""
        if domain not in self.domains:
            return [wire.Target(text, via=via)]
        if key in path or len(path) > 10:
            raise RecursionError
        box = self.mailboxes.get(key)
        targets, keep = self.forwards.get(key, ([] if box else self.catchall.get(domain, []), True))
        found = [wire.Target(box.address, box.id, box.quota_limit, box.limit_version, via)] if box and keep else []
        for target in targets:
            found += [new for new in self._expand(target, (*path, key)) if new not in found]
        return found

    def _login(self, item: wire.Login, *, here: bool = True) -> wire.LoginAnswer:
        box = self._mailbox(item.login)
        old_host = self.elsewhere.get(box.address) if box is not None else None
        if old_host is not None and here:
            return wire.LoginAnswer("elsewhere")
        if box is None or item.password != box.password:
            return wire.LoginAnswer("refused")
        answer = self._let_in(item, box)
        if old_host is None or item.protocol == "smtp":
            return answer
        return structs.replace(answer, old_host=old_host, proof=b"")

    def _scram_login(self, item: wire.ScramLogin) -> wire.LoginAnswer:
        box = self._mailbox(item.login)
        if box is None:
            return wire.LoginAnswer("refused")
        keys = derive(box.password, SALT, LEAST_ITERATIONS)
        message = auth_message(item.client_first, item.nonce, SALT, LEAST_ITERATIONS, item.client_final)
        if not keys.check(message, item.proof):
            return wire.LoginAnswer("refused")
        answer = self._let_in(item, box)
        return structs.replace(answer, server_signature=keys.signature(message)) if answer.outcome == "ok" else answer

    def _mailbox(self, login: str) -> FakeMailbox | None:
        try:
            box = self.mailboxes.get(str(parse_login(login)))
        except BadAddress:
            return None
        return box if box is not None and box.enabled else None

    def _let_in(self, item: wire.Login | wire.ScramLogin, box: FakeMailbox) -> wire.LoginAnswer:
        now = self.now()
        if item.protocol == "pop3":
            left = (box.last_pop3_login + self.pop3_delay - now).total_seconds() if box.last_pop3_login else 0
            if left > 0:
                return wire.LoginAnswer("too_soon", retry_after=max(1, round(left + 0.5)))
            box.last_pop3_login = now
            self.checks[item.operation_id] = box.id, now
        if item.protocol != "smtp" and item.client_address:
            self.grants[peer_address(item.client_address), box.id] = now
        keys = self.proofs.for_sending() if item.protocol == "smtp" else self.proofs
        proof = keys.sign(box.id, box.credential_version, self.now().timestamp() + LIFE)
        return wire.LoginAnswer(
            "ok", box.id, box.address, box.credential_version, box.quota_limit, box.limit_version, proof=proof
        )

    def _renew(self, item: wire.SessionQuestion) -> bytes:
        now = self.now().timestamp()
        for keys in (self.proofs, self.proofs.for_sending()):
            with suppress(Unproven):
                keys.check(item.mailbox_id, item.proof, now, grace=RENEWABLE)
                return keys.sign(item.mailbox_id, item.credential_version, now + LIFE)
        return b""


def _key(text: str) -> tuple[str, str]:
    """Return (address in the form that is compared, its domain); ("", "") for the null sender and malformed addresses."""
    try:
        address = parse_address(text.strip())
    except BadAddress:
        return "", ""
    return f"{address.local.lower()}@{address.domain}", address.domain
