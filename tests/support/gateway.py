"""An SMTP session without sockets: octets in, replies and handed-over messages out; and `serve` for one with sockets. The
services it asks are made up here."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast
from uuid import UUID, uuid4

import uvloop
from msgspec import structs

from auth_api.fake import FakeAuth
from auth_api.logins import LoginClient
from auth_api.wire import (
    AuthorAnswer,
    AuthorQuestion,
    DkimSigner,
    Login,
    LoginAnswer,
    RecipientAnswer,
    RecipientQuestion,
    RelayRight,
    ScramLogin,
    ScramOffer,
    ScramQuestion,
    SenderAnswer,
    SenderQuestion,
    SignatureAnswer,
    SignatureQuestion,
    Target,
    TokenLogin,
)
from mailauth.dkim import keys
from mailkit.errors import Unavailable
from mailkit.net.connections import Connections, Limits
from mailkit.net.dns import Existence, Resolver
from mailkit.net.listener import Listener, Peer, Refusals
from mailkit.net.tarpit import Tarpit
from mailkit.process.clock import SystemClock
from mailkit.rpc.batch import Batcher
from mailkit.testing.speed import patient, until
from mailstore_api.wire import RoomQuestion
from queue_worker_api.wire import Submission, SubmissionAnswer
from smtp_gateway.accept import Acceptor
from smtp_gateway.config import GatewaySettings
from smtp_gateway.incoming.inspection import Inspection
from smtp_gateway.incoming.scanner import ContentScanner
from smtp_gateway.journal import Journal
from smtp_gateway.policy.author import AuthorCheck
from smtp_gateway.policy.conduct import ClientLimits
from smtp_gateway.policy.recipient import RecipientCheck
from smtp_gateway.policy.sender import SenderCheck
from smtp_gateway.refusals import RefusalTrace
from smtp_gateway.sign import Signatures
from smtp_gateway.smtp.budget import BodyBudget
from smtp_gateway.smtp.context import SmtpContext
from smtp_gateway.smtp.registry import VERBS
from smtp_gateway.smtp.session import SmtpSession
from smtp_gateway.smtp.sessions import Sessions

MAILBOX = Target("u@here.test", uuid4(), 1 << 30, 1)
ACCOUNT = UUID(int=7)
PROOF = b"of the login"
PEER = Peer("192.0.2.1", 1, "smtp", False)


class Wire(asyncio.Transport):
    """A transport that keeps what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.said = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.closed:
            self.said += bytes(data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        return

    def resume_reading(self) -> None:
        return


class Services:
    """auth, mailstore and the queue: one local domain, here.test; `relay`: who may send anywhere; `keys`: by selector, the
    keys of here.test, which signs if there are some."""

    def __init__(self) -> None:
        self.relay = False
        self.auth = FakeAuth()
        self.auth.add_mailbox("u@here.test", "secret")
        self.answers: dict[str, RecipientAnswer] = {}
        self.senders_asked: list[SenderQuestion] = []
        self.recipients_asked: list[RecipientQuestion] = []
        self.logins_asked: list[Login] = []
        self.senders_led: list[str] = []
        self.taken: list[Submission] = []
        self.from_rule = "none"
        self.keys: dict[str, keys.PrivateKey] = {}
        self.refused_authors: set[str] = set()
        self.authors_asked: list[AuthorQuestion] = []
        self.signatures_asked: list[SignatureQuestion] = []
        self.signing_away = False

    async def senders(self, items: Sequence[SenderQuestion]) -> list[SenderAnswer]:
        self.senders_asked += items
        right = RelayRight("grant", ACCOUNT, "u@here.test")
        return [
            SenderAnswer(
                False,
                item.mail_from.endswith("@here.test"),
                right if self.relay or item.login_mailbox is not None else None,
                from_rule=cast(Any, "some" if self.keys else self.from_rule),
            )
            for item in items
        ]

    async def authors(self, items: Sequence[AuthorQuestion]) -> list[AuthorAnswer]:
        self.authors_asked += items
        signers = [DkimSigner("here.test", name, keys.algorithm_of(key)) for name, key in self.keys.items()]
        return [
            AuthorAnswer(
                (item.readable or not self.keys) and not self.refused_authors & set(item.addresses),
                signers if any(each.endswith("@here.test") for each in item.addresses) else [],
            )
            for item in items
        ]

    async def signatures(self, items: Sequence[SignatureQuestion]) -> list[SignatureAnswer]:
        if self.signing_away:
            raise Unavailable("auth is away")
        self.signatures_asked += items
        return [
            SignatureAnswer([keys.sign(self.keys[each.selector], each.octets) for each in item.digests])
            for item in items
        ]

    async def sender_domain_exists(self, domain: str) -> Existence:
        return Existence.yes

    async def recipients(self, items: Sequence[RecipientQuestion]) -> list[RecipientAnswer]:
        self.recipients_asked += items
        return [self.answers.get(item.address) or self._recipient(item) for item in items]

    async def uncharged(self, items: Sequence[RecipientQuestion]) -> list[RecipientAnswer]:
        self.senders_led += [item.address for item in items]
        return [self.answers.get(item.address) or self._recipient(item) for item in items]

    def _recipient(self, item: RecipientQuestion) -> RecipientAnswer:
        if item.address.endswith("@here.test"):
            return RecipientAnswer("accepted", [Target(item.address, MAILBOX.mailbox_id, 1 << 30, 1)])
        if self.relay or item.login_mailbox is not None:
            return RecipientAnswer("accepted", [Target(item.address)], ACCOUNT)
        return RecipientAnswer("not_relayed", [])

    async def room(self, items: Sequence[RoomQuestion]) -> list[str]:
        return ["room"] * len(items)

    async def logins(self, items: Sequence[Login]) -> list[LoginAnswer]:
        self.logins_asked += items
        return [LoginAnswer("ok", ACCOUNT, "u@here.test", 1, proof=PROOF) for _ in items]

    async def old_host_logins(self, items: Sequence[Login]) -> list[LoginAnswer]:
        return await self.logins(items)

    async def scram_offers(self, items: Sequence[ScramQuestion]) -> list[ScramOffer]:
        return await self.auth.scram_offers(items)

    async def token_logins(self, items: Sequence[TokenLogin]) -> list[LoginAnswer]:
        return await self.auth.token_logins(items)

    async def scram_logins(self, items: Sequence[ScramLogin]) -> list[LoginAnswer]:
        return await self.auth.scram_logins(items)

    async def submit(self, items: Sequence[Submission], timeout: float) -> list[SubmissionAnswer]:
        self.taken += items
        return [SubmissionAnswer("queued", item.submission_id) for item in items]

    async def submit_large(self, item: Submission, *body: bytes, timeout: float) -> SubmissionAnswer:
        return (await self.submit([structs.replace(item, body=b"".join(body))], timeout))[0]


def context(
    services: Services | None = None,
    refusals: RefusalTrace | None = None,
    resolver: Resolver | None = None,
    **settings: Any,
) -> SmtpContext:
    """What a session needs; `settings` beside the defaults. With a `resolver`, mail from outside is inspected."""
    of = services or Services()
    given: dict[str, Any] = {"helo_name": "here.test", "smtp_plaintext_auth": True} | settings
    journal = Journal(refusals or RefusalTrace())
    told = GatewaySettings(**given)
    return SmtpContext(
        told,
        SenderCheck(Batcher(of.senders), cast(Any, of)),
        RecipientCheck(Batcher(of.recipients), Batcher(of.room), Batcher(of.uncharged)),
        AuthorCheck(Batcher(of.authors)),
        Signatures(Batcher(of.signatures), SystemClock()),
        ClientLimits(told, lambda: False),
        Acceptor(cast(Any, of), SystemClock(), told.helo_name, journal),
        LoginClient(of, with_scram=told.scram == "offer"),
        Tarpit(told.login_delays, told.login_delays_per_network),
        BodyBudget(told.gateway_body_bytes),
        Sessions(),
        None,
        journal,
        Inspection(told, resolver) if resolver is not None else None,
        ContentScanner(told.scanner_url, told.scanner_seconds) if told.scanner_url else None,
    )


class Dialogue:
    """One session; the first `say` gets its greeting too."""

    def __init__(self, shared: SmtpContext, peer: Peer = PEER) -> None:
        self.wire = Wire()
        self.session = SmtpSession(peer, shared, VERBS)
        self._seen = 0
        self.session.connection_made(self.wire)

    async def say(self, *pieces: bytes, replies: int = 1) -> bytes:
        """What is answered since the last time: `replies` whole replies, or what there is when the connection ends."""
        at = self._seen
        for piece in pieces:
            self.session.data_received(piece)
        await until(lambda: _replies(self.wire.said[at:]) >= replies or self.wire.closed)
        self._seen = len(self.wire.said)
        return self.wire.said[at:]

    def leave(self) -> None:
        """The client is gone."""
        self.session.connection_lost(None)


def _replies(said: bytes) -> int:
    return sum(1 for line in said.split(b"\r\n")[:-1] if line[3:4] == b" ")


async def send(
    body: bytes,
    shared: SmtpContext,
    *,
    sender: bytes = b"<>",
    recipients: Sequence[bytes] = (b"u@here.test",),
    greeting: bytes = b"EHLO client.test\r\n",
    peer: Peer = PEER,
) -> bytes:
    """The reply to `body`, which comes with its final dot, as one transaction of a new session."""
    talk = Dialogue(shared, peer)
    await talk.say(replies=1)
    await talk.say(greeting)
    await talk.say(b"MAIL FROM:%b\r\n" % sender)
    for recipient in recipients:
        await talk.say(b"RCPT TO:<%b>\r\n" % recipient)
    await talk.say(b"DATA\r\n")
    answer = await talk.say(body)
    talk.leave()
    return answer


REFUSALS = Refusals(too_many=b"421 4.7.0 Too many connections, try again later\r\n", no_header=b"421 no header\r\n")
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def serve(
    client: Callable[[Callable[[], Awaitable[Client]]], Awaitable[None]],
    shared: Callable[[], SmtpContext],
    limits: Limits | None = None,
) -> None:
    """Run `client`, which may connect as often as it likes, beside a listener under uvloop."""

    async def both() -> None:
        told = shared()
        listener = Listener(
            "smtp", lambda peer: SmtpSession(peer, told, VERBS), REFUSALS, Connections(limits or Limits())
        )
        port = listener.start("127.0.0.1", 0)
        try:
            await asyncio.wait_for(client(lambda: asyncio.open_connection("127.0.0.1", port)), patient(60))
        finally:
            listener.stop()

    uvloop.run(both())
