"""The rules for operators' changes to forwards (L2), badmailfrom (S12) and grants (S2)."""

from uuid import UUID

from auth.addresses import RecipientAddress, parse_own, parse_sender
from auth.admin import models
from auth.admin.accounts import forward_targets
from auth.storage.accounts import Accounts
from auth.storage.aliases import Aliases
from mailkit.errors import BadRequest, Conflict, NotFound
from mailkit.mail.address import BadAddress, normalise_domain, parse_login, peer_address
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger

log = get_logger()

#: Limit of grants that one statement ends.
REVOKED_AT_ONCE = 1000


class AliasRules:
    """The JSON API's operations on forwards, badmailfrom and grants."""

    def __init__(self, store: Aliases, accounts: Accounts, clock: Clock) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock

    async def add_forward(self, question: models.NewForward) -> models.Forward:
        own, targets = await self._checked(question.address, question)
        if not await self._store.add_forward(own.key, own.domain, targets, question.keep_copy, self._clock.now()):
            if await self._store.forward(own.key) is not None:
                raise Conflict(f"{own.key} forwards already; remove that forward first")
            raise NotFound(f"there is no domain {own.domain} here; add it first")
        return await self._made(own.key)

    async def set_forward(self, address: str, question: models.SetForward) -> models.Forward:
        """Set what an address forwards to, in one step, whether or not it has forwarded before."""
        own, targets = await self._checked(address, question)
        if not await self._store.set_forward(own.key, own.domain, targets, question.keep_copy, self._clock.now()):
            raise NotFound(f"there is no domain {own.domain} here; add it first")
        return await self._made(own.key)

    async def _checked(self, address: str, question: models.SetForward) -> tuple[RecipientAddress, list[str]]:
        """Return the address of a forward and its targets. Raises BadRequest, and NotFound if there is no mailbox for a copy."""
        try:
            own = parse_own(address)
        except BadAddress as error:
            raise BadRequest(str(error)) from error
        targets = forward_targets(question.targets)
        if question.keep_copy:
            await self._accounts.mailbox(own.key)
        return own, targets

    async def _made(self, address: str) -> models.Forward:
        """Return the forward that was made. Raises Conflict if it is gone."""
        made = await self._store.forward(address)
        if made is None:
            raise Conflict(f"the forward of {address} was removed at the same moment")
        return models.Forward(**made)

    async def forwards(self, domain: str | None, after: str, limit: int) -> list[models.Forward]:
        try:
            name = normalise_domain(domain) if domain else None
        except BadAddress as error:
            raise BadRequest(str(error)) from error
        return [models.Forward(**row) for row in await self._store.forwards(name, after, limit)]

    async def delete_forward(self, address: str) -> None:
        if not await self._store.delete_forward(_lower(address)):
            raise NotFound(f"{address} does not forward; `postrider forward ls` shows what does")

    async def add_badmailfrom(self, question: models.NewBadMailFrom) -> models.BadMailFrom:
        entry = _entry(question.entry)
        if not await self._store.add_badmailfrom(entry, self._clock.now()):
            raise Conflict(f"{entry} is on the list already")
        made = await self._store.badmailfrom_entry(entry)
        if made is None:
            raise Conflict(f"{entry} was taken off the list at the same moment")
        return models.BadMailFrom(**made)

    async def badmailfrom(self, after: str, limit: int) -> list[models.BadMailFrom]:
        return [models.BadMailFrom(**row) for row in await self._store.badmailfrom(after, limit)]

    async def delete_badmailfrom(self, entry: str) -> None:
        if not await self._store.delete_badmailfrom(_entry(entry)):
            raise NotFound(f"{entry} is not on the list; `postrider badmailfrom ls` shows what is")

    async def grants(self, address: str | None, mailbox: str | None, after: str, limit: int) -> list[models.Grant]:
        """Return unexpired grants of one client address, one mailbox, or all; `after`: a `grant_key`. Raises BadRequest."""
        try:
            client = peer_address(address) if address else None
            box = str(parse_login(mailbox)) if mailbox else None
        except BadAddress as error:
            raise BadRequest(str(error)) from error
        rows = await self._store.grants(self._clock.now(), client, box, _key_of(after), limit)
        return [models.Grant(**row) for row in rows]

    async def revoke(
        self, address: str | None = None, mailbox: str | None = None, grant: UUID | None = None
    ) -> list[models.Grant]:
        """End grants now and return them. Raises NotFound if there is none, BadRequest if no argument is given."""
        if address is None and mailbox is None and grant is None:
            raise BadRequest("say whose grants to revoke: an address, a mailbox or a grant's id")
        found: list[models.Grant] = []
        ended = found
        while not found or len(ended) == REVOKED_AT_ONCE:
            ended = await self._revoke_some(address, mailbox, grant)
            found = found + ended
            if not ended:
                break
        if not found:
            raise NotFound("no such grant lives; `postrider grant ls` shows what does")
        return found

    async def _revoke_some(self, address: str | None, mailbox: str | None, grant: UUID | None) -> list[models.Grant]:
        if grant is None:
            ended = await self.grants(address, mailbox, "", REVOKED_AT_ONCE)
        else:
            row = await self._store.grant(self._clock.now(), grant)
            ended = [models.Grant(**row)] if row is not None else []
        await self._store.revoke([item.id for item in ended])
        for item in ended:
            log.info("grant_revoked", client=item.address, account=item.mailbox)
        return ended


def grant_key(grant: models.Grant) -> str:
    """Return the key by which grants are sorted."""
    return f"{grant.address},{grant.mailbox_id}"


def _key_of(text: str) -> tuple[str, UUID]:
    address, _, mailbox = text.partition(",")
    try:
        return address, UUID(mailbox or "0" * 32)
    except ValueError:
        raise BadRequest("after is not a client's address, a comma and a mailbox's id") from None


def _lower(address: str) -> str:
    return parse_sender(address).key


def _entry(text: str) -> str:
    """Normalise an address or `@domain` for comparison (S12). Raises BadRequest."""
    text = text.strip()
    try:
        if text.startswith("@"):
            return f"@{normalise_domain(text[1:])}"
        sender = parse_sender(text)
    except BadAddress as error:
        raise BadRequest(str(error)) from error
    if not sender.exact or not sender.key:
        raise BadRequest(f"{text!r} is neither an address nor @domain")
    return sender.key
