"""The rules for operators' changes to domains and mailboxes (P2, P5, L1, docs/architecture.md)."""

import asyncio
from collections.abc import Callable
from typing import Literal

from auth.addresses import RecipientAddress, parse_own, parse_recipient
from auth.admin import models
from auth.admin.plan_models import proper_name
from auth.keys import NewKey
from auth.login.passwords import LONGEST_PASSWORD, HashQueue, Passwords, QueueFull
from auth.login.scram import Scram
from auth.storage.accounts import Accounts, nobody
from auth.storage.verifiers import Verifier
from mailkit.errors import BadRequest, Conflict, Unavailable
from mailkit.mail.address import BadAddress, normalise_domain
from mailkit.process.clock import Clock
from mailkit.rpc.caller import Caller


class AccountRules:
    """The JSON API's operations on domains and mailboxes."""

    def __init__(
        self,
        store: Accounts,
        clock: Clock,
        passwords: Passwords,
        queue: HashQueue,
        scram: Scram,
        *,
        make_keys: Callable[[], list[NewKey]],
        identity: Literal["log", "enforce"],
    ) -> None:
        """`make_keys`: makes the DKIM keys of a new domain. `identity`: its rule on sender addresses once it signs."""
        self._make_keys = make_keys
        self._identity = identity
        self._store = store
        self._clock = clock
        self._passwords = passwords
        self._queue = queue
        self._scram = scram

    async def add_domain(self, question: models.NewDomain) -> models.Domain:
        """Add a domain with its DKIM keys and its mailbox `postmaster@` (P5), without a usable password; an alias has none."""
        name = domain_name(question.name)
        alias_of = None if question.alias_of is None else domain_name(question.alias_of)
        keys = await asyncio.to_thread(self._make_keys)
        owner = None if question.customer is None else proper_name(question.customer)
        now = self._clock.now()
        await self._store.add_domain(name, self._identity, keys, now, alias_of, owner)
        return await self.domain(name)

    async def domains(self, caller: Caller, after: str, limit: int) -> list[models.Domain]:
        return [models.domain_of(row) for row in await self._store.domains(caller, after, limit)]

    async def domain(self, name: str) -> models.Domain:
        return models.domain_of(await self._store.domain(domain_name(name)))

    async def close_domain(self, name: str) -> models.Domain:
        """Close a domain, step 1 of a removal: no more mail is accepted, and the postmaster's mailbox can be purged."""
        await self._store.close_domain(domain_name(name))
        return await self.domain(name)

    async def delete_domain(self, name: str) -> None:
        """Delete a domain, the last step of a removal; refused while mailboxes other than postmaster's are left."""
        await self._store.delete_domain(domain_name(name))

    async def set_catchall(self, name: str, question: models.SetCatchall) -> models.Domain:
        """Set the catch-all of a domain (L1)."""
        mailbox, targets = None, None
        if question.kind == "mailbox":
            if not question.mailbox:
                raise BadRequest("say which mailbox the catch-all delivers to")
            row = await self._store.mailbox(_address(question.mailbox).key)
            if row["state"] == "purging":
                raise nobody(row["address"])
            mailbox = row["id"]
        elif question.kind == "forward":
            targets = forward_targets(question.targets or [])
        await self._store.set_catchall(domain_name(name), question.kind, mailbox, targets)
        return await self.domain(name)

    async def set_tags(self, name: str, question: models.SetTags) -> models.Domain:
        """Set whether mail for `name+tag` goes to `name` (docs/decisions/0107)."""
        await self._store.set_tags(domain_name(name), question.tags)
        return await self.domain(name)

    async def add_mailbox(self, question: models.NewMailbox) -> models.Mailbox:
        try:
            own = parse_own(question.address)
        except BadAddress as error:
            raise BadRequest(str(error)) from error
        hashed, verifier = await self._credentials(own.key, question)
        await self._store.add_mailbox(own.key, own.domain, hashed, question.quota_limit, self._clock.now(), verifier)
        return await self.mailbox(own.key)

    async def mailbox(self, address: str) -> models.Mailbox:
        return models.mailbox_of(await self._store.mailbox(_address(address).key))

    async def mailboxes(self, domain: str, after: str, limit: int) -> list[models.Mailbox]:
        name = domain_name(domain)
        rows = await self._store.mailboxes(name, after, limit)
        if not rows:
            # raises NotFound for an unknown domain; every known one has a mailbox, so this is past its last page
            await self._store.domain(name)
        return [models.mailbox_of(row) for row in rows]

    async def set_password(self, address: str, question: models.SetPassword) -> models.Mailbox:
        """Set a password, at once: the mailbox's grants end, its open sessions end within seconds (decisions 9, 15)."""
        key = _address(address).key
        await self._store.mailbox(key)  # first: an unknown mailbox must not cost a hash
        hashed, verifier = await self._credentials(key, question)
        if hashed is None:
            raise BadRequest("say which password: password or password_hash")
        await self._store.set_password(key, hashed, verifier, self._clock.now())
        return await self.mailbox(key)

    async def set_quota(self, address: str, question: models.SetQuota) -> models.Mailbox:
        """Set the quota of a mailbox (P2)."""
        key = _address(address).key
        await self._store.set_quota(key, question.quota_limit)
        return await self.mailbox(key)

    async def disable(self, address: str, question: models.Disable) -> models.Mailbox:
        """End logins, sessions and grants of a mailbox; repeating it changes nothing."""
        key = _address(address).key
        _refuse_postmaster(key)
        await self._store.disable(key, "purging" if question.removal else "disabled")
        return await self.mailbox(key)

    async def enable(self, address: str) -> models.Mailbox:
        key = _address(address).key
        if not await self._store.enable(key):
            await self._store.mailbox(key)
            raise Conflict(f"{key} is being removed; finish with `postrider mailbox rm {key}`, then add it anew")
        return await self.mailbox(key)

    async def delete_mailbox(self, address: str) -> None:
        """Delete a mailbox, the last of three steps: disable here, purge in mailstore, delete. Its id is never reused."""
        key = _address(address).key
        _refuse_postmaster(key)
        if not await self._store.delete_mailbox(key):
            await self._store.mailbox(key)
            raise Conflict(f"{key} is enabled; disable it and purge its mail first (`postrider mailbox rm {key}` does)")

    async def _credentials(
        self, address: str, question: models.NewMailbox | models.SetPassword
    ) -> tuple[str | None, Verifier | None]:
        """Return the hash to store, None if no password is given, and the verifier, None for a hash: its password is unknown."""
        if question.password_hash is None:
            given = question.password
            return (None, None) if given is None else await self._hash(address, given.get_secret_value())
        if question.password is not None:
            raise BadRequest("password and password_hash exclude each other")
        hashed = question.password_hash.get_secret_value()
        if not self._passwords.known(hashed):
            kinds = "$1$, $5$, $6$, bcrypt, DES, SSHA or argon2"
            raise BadRequest(f"password_hash is of no kind known here ({kinds}), or a check would take seconds")
        return hashed, None

    async def _hash(self, address: str, password: str) -> tuple[str, Verifier | None]:
        if not password or len(password.encode()) > LONGEST_PASSWORD or any(ord(char) < 32 for char in password):
            raise BadRequest(f"a password has 1 to {LONGEST_PASSWORD} bytes and no control characters")
        try:
            hashed = await self._queue.run(lambda: self._passwords.hash(password))
            return hashed, await self._scram.verifier(address, password)
        except QueueFull:
            raise Unavailable("too many passwords are being checked; try again in a moment") from None


def domain_name(text: str) -> str:
    """Normalise a domain name given by an operator. Raises BadRequest."""
    try:
        name = normalise_domain(text)
    except BadAddress as error:
        raise BadRequest(str(error)) from error
    if name.startswith("["):
        raise BadRequest(f"{text!r} is an address, not a domain name")
    return name


def forward_targets(texts: list[str]) -> list[str]:
    """Normalise the targets of a forward or catch-all and drop duplicates. Raises BadRequest."""
    if not 1 <= len(texts) <= 100:
        raise BadRequest("a forward has 1 to 100 targets")
    return list(dict.fromkeys(_address(text).address for text in texts))


def _address(text: str) -> RecipientAddress:
    try:
        return parse_recipient(text)
    except BadAddress as error:
        raise BadRequest(str(error)) from error


def _refuse_postmaster(address: str) -> None:
    if address.startswith("postmaster@"):
        raise Conflict(f"{address} always exists and cannot be deleted; it goes with its domain")
