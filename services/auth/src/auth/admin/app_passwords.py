"""The rules for app passwords (docs/decisions/0123), and their requests and records."""

import ipaddress
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from auth.addresses import parse_recipient
from auth.admin.models import Mailbox
from auth.admin.questions import Question
from auth.login.app_passwords import PROTOCOLS, generate
from auth.storage.accounts import Accounts, nobody
from auth.storage.app_passwords import MOST, AppPasswords
from mailkit.errors import BadRequest, Conflict, NotFound
from mailkit.mail.address import BadAddress
from mailkit.process.clock import Clock

#: Limits of a name (characters), and of networks.
LONGEST_NAME = 64
MOST_NETWORKS = 20

MailProtocol = Literal["smtp", "pop3", "imap"]
Network = Annotated[str, Field(max_length=64)]


class AppPassword(BaseModel):
    """A password of one device or program. `networks` empty: good from everywhere. `last_used_at`: to the hour."""

    id: UUID
    name: str
    protocols: list[MailProtocol]
    networks: list[str]
    expires_at: datetime | None
    created_at: datetime
    last_used_at: datetime | None
    last_used_from: str | None


class ShownAppPassword(AppPassword):
    """A new app password with its text, which is not shown again."""

    password: str


class NewAppPassword(Question):
    """`protocols` left out: all; without smtp a login gives no right to relay. `networks`: from which it is good, in CIDR form."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    protocols: list[MailProtocol] = Field(default=["smtp", "pop3", "imap"], min_length=1, max_length=len(PROTOCOLS))
    networks: list[Network] = Field(default=[], max_length=MOST_NETWORKS)
    expires_at: AwareDatetime | None = None


class SetMainPassword(Question):
    """`enabled` false: mail clients log in with app passwords only."""

    enabled: bool


class AppPasswordRules:
    """The JSON API's operations on app passwords."""

    def __init__(self, store: AppPasswords, accounts: Accounts, clock: Clock) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock

    async def of(self, address: str) -> list[AppPassword]:
        """Return the app passwords of a mailbox. Raises NotFound."""
        box = await self._accounts.mailbox(_key(address))
        return [AppPassword(**row) for row in await self._store.of(box["id"])]

    async def make(self, address: str, question: NewAppPassword) -> ShownAppPassword:
        """Make an app password. Raises NotFound, Conflict (the name is taken, there are too many), BadRequest."""
        name = " ".join(question.name.split())
        if not name or not name.isprintable():
            raise BadRequest("name an app password after its device or program: printable characters, not only spaces")
        now = self._clock.now()
        if question.expires_at is not None and question.expires_at <= now:
            raise BadRequest("expires_at has passed already")
        networks = [_network(each) for each in question.networks]
        protocols = [each for each in PROTOCOLS if each in question.protocols]
        key = _key(address)
        text, secret = generate()
        row = await self._store.make(key, name, secret, protocols, networks, question.expires_at, now)
        if row is None:
            raise Conflict(f"{key} has an app password {name} already, or {MOST} of them; revoke one first")
        return ShownAppPassword(**row, password=text)

    async def revoke(self, address: str, id: UUID) -> None:
        """Revoke an app password. Raises NotFound."""
        key = _key(address)
        if not await self._store.revoke(key, id):
            raise NotFound(f"{key} has no such app password; `postrider app-password ls {key}` shows what there is")

    async def set_main(self, address: str, question: SetMainPassword) -> Mailbox:
        """Say whether mail clients may log in with the main password. Raises NotFound."""
        key = _key(address)
        await self._store.set_main(key, question.enabled)
        return Mailbox(**await self._accounts.mailbox(key))


def _key(address: str) -> str:
    try:
        return parse_recipient(address).key
    except BadAddress as error:
        raise nobody(address) from error


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text.strip()))
    except ValueError as error:
        raise BadRequest(f"{error}; a network is written as 192.0.2.0/24") from error
