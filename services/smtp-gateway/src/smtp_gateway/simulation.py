"""What the gateway would answer a client, rule by rule, by the decisions of live traffic and without an effect (decision 0085).

No connection, message, recipient or login is counted, nothing is handed over, logged or kept.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from msgspec import structs
from pydantic import BaseModel, Field

from auth_api.client import AuthClient
from auth_api.wire import LoginAnswer, RecipientAnswer, RecipientQuestion, SenderAnswer, SenderQuestion
from mailkit.errors import BadRequest, PostriderError, is_final
from mailkit.mail.address import BadAddress, peer_address
from mailkit.mail.reply import Reply
from mailkit.net.connections import Connections
from mailkit.net.dns import Resolver
from mailkit.net.listener import Peer
from mailkit.rpc.app import OPERATORS
from mailkit.rpc.batch import Batcher
from mailstore_api.wire import RoomQuestion
from smtp_gateway import replies
from smtp_gateway.policy.recipient import RecipientCheck
from smtp_gateway.policy.sender import SenderCheck
from smtp_gateway.smtp.chunks import Chunks
from smtp_gateway.smtp.client import Client
from smtp_gateway.smtp.context import SmtpContext
from smtp_gateway.smtp.paths import client_name
from smtp_gateway.smtp.receiving import Receiving
from smtp_gateway.smtp.session import LONGEST_COMMAND
from smtp_gateway.smtp.taking import judge
from smtp_gateway.smtp.verbs import auth, data, greeting, mail, rcpt
from smtp_gateway.transaction import Transaction

#: Simulations that run at the same time; others wait: each may hold a message of the largest size.
MOST_AT_ONCE = 2
MOST_RECIPIENTS = 100
_LONGEST = 1000
_LINE = b"x" * 76 + b"\r\n"


class Case(BaseModel):
    """A client and its message. `size`: octets, declared in MAIL (none if absent); `header`: its lines, with LF or CR LF."""

    client: str = Field(max_length=_LONGEST)
    """The client's IP address."""
    listener: Literal["smtp", "submission", "smtps"] = "smtp"
    direct: bool = False
    """By the direct port beside a proxied one (POSTRIDER_DIRECT_PORT_OFFSET)."""
    tls: bool = True
    """The client uses STARTTLS where it is offered; `smtps` is always under TLS."""
    helo: str = Field(default="client.example", max_length=_LONGEST)
    auth: UUID | None = None
    """The mailbox that logs in by SMTP AUTH."""
    grant: UUID | None = None
    """The mailbox of a grant that the client's address is supposed to have; without `auth` and `grant` its real ones count."""
    mail_from: str = Field(max_length=_LONGEST)
    recipients: list[str] = Field(min_length=1, max_length=MOST_RECIPIENTS)
    size: int | None = Field(default=None, ge=0, le=10**15)
    header: str = Field(default="", max_length=65536)


class ConsultedRule(BaseModel):
    """One rule that was consulted: an id of docs/contract.md or the name of a limit, whether it refused, and its data."""

    rule: str
    refused: bool
    data: dict[str, Any]


class Step(BaseModel):
    """One command, the reply to it (lines are separated by LF), and the rules that were consulted, in order."""

    command: str
    reply: str
    rules: list[ConsultedRule]


class Destination(BaseModel):
    """A final target: a mailbox here, or (`mailbox` null) an address elsewhere. `via`: the forward that leads to it, or ""."""

    address: str
    recipient: str
    mailbox: UUID | None
    via: str


class Simulated(BaseModel):
    """The dialogue, and where the message would go. `accepted`: the final dot would be answered 250."""

    steps: list[Step]
    accepted: bool
    account: UUID | None
    """The mailbox whose right to relay is used."""
    destinations: list[Destination]


@dataclass
class SimulatedClient:
    """A client that exists in a simulation only; see `smtp_gateway.smtp.client.Client`."""

    peer: Peer
    context: SmtpContext
    tls: bool
    login: LoginAnswer | None = None
    helo: str = ""
    extended: bool = True
    transaction: Transaction = field(default_factory=Transaction)
    chunks: Chunks | None = None
    rules: list[ConsultedRule] = field(default_factory=list)

    def consulted(self, rule: str, refused: bool, /, **data: Any) -> None:
        """Keep what a decision looked at."""
        self.rules.append(ConsultedRule(rule=rule, refused=refused, data=data))


class Questions:
    """The questions to auth of one simulation: recipients are not charged; `grant` supposes a grant of that mailbox."""

    def __init__(self, auth_client: AuthClient, *, grants: bool, grant: UUID | None) -> None:
        self._auth = auth_client
        self._grants = grants
        self._grant = grant if grants else None

    def _asked(self, question: Any) -> Any:
        if self._grant is not None and question.login_mailbox is None:
            return structs.replace(question, client_address=None, login_mailbox=self._grant)
        return question if self._grants else structs.replace(question, client_address=None)

    async def senders(self, questions: Sequence[SenderQuestion]) -> Sequence[SenderAnswer]:
        """Return auth's answers, one per question. Raises Unavailable."""
        answers = await self._auth.senders([self._asked(each) for each in questions])
        return [
            structs.replace(answer, relay=structs.replace(answer.relay, how="grant", granted_at=time.time()))
            if self._grant is not None and question.login_mailbox is None and answer.relay is not None
            else answer
            for question, answer in zip(questions, answers, strict=True)
        ]

    async def recipients(self, questions: Sequence[RecipientQuestion]) -> Sequence[RecipientAnswer]:
        """Return auth's answers, one per question, without a charge. Raises Unavailable."""
        return await self._auth.uncharged_recipients([self._asked(each) for each in questions])


class Simulator:
    """Runs simulations. `shared`: the context of live sessions; `patience`: seconds, as live sessions wait for auth."""

    def __init__(
        self,
        shared: SmtpContext,
        auth_client: AuthClient,
        room: Callable[[Sequence[RoomQuestion]], Awaitable[Sequence[str]]],
        resolver: Resolver,
        connections: Connections,
        *,
        patience: float,
    ) -> None:
        self._shared = shared
        self._auth = auth_client
        self._room = room
        self._resolver = resolver
        self._connections = connections
        self._patience = patience
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def run(self, case: Case) -> Simulated:
        """Return what the client of `case` would be answered. Raises BadRequest."""
        try:
            address = peer_address(case.client)
        except BadAddress as error:
            raise BadRequest(f"client: {error}") from error
        if case.auth is not None and case.grant is not None:
            raise BadRequest("auth and grant exclude each other: the grant is not looked at after a login")
        implicit = case.listener == "smtps"
        client = SimulatedClient(
            Peer(address, 0, case.listener, implicit, case.direct),
            self._context(case),
            implicit or (case.tls and self._shared.tls is not None),
        )
        async with self._turns:
            return await _Dialogue(client, case, self._connections).run()

    def _context(self, case: Case) -> SmtpContext:
        questions = Questions(self._auth, grants=self._shared.settings.open_smtp and not case.direct, grant=case.grant)
        return replace(
            self._shared,
            senders=SenderCheck(Batcher(questions.senders, patience=self._patience), self._resolver),
            recipients=RecipientCheck(
                Batcher(questions.recipients, patience=self._patience), Batcher(self._room, patience=self._patience)
            ),
        )


class _Dialogue:
    """One simulated dialogue, command by command, as far as a client would go."""

    def __init__(self, client: SimulatedClient, case: Case, connections: Connections) -> None:
        self._client = client
        self._case = case
        self._connections = connections
        self._steps: list[Step] = []
        self._hostname = client.context.settings.helo_name

    async def run(self) -> Simulated:
        accepted = await self._talk()
        transaction = self._client.transaction
        return Simulated(
            steps=self._steps,
            accepted=accepted,
            account=transaction.relay.mailbox_id if transaction.relay else None,
            destinations=[
                Destination(address=each.address, recipient=each.original, mailbox=each.mailbox_id, via=each.via)
                for each in transaction.targets.values()
            ]
            if accepted
            else [],
        )

    async def _talk(self) -> bool:
        case, client = self._case, self._client
        excess = self._connections.excess(client.peer.address)
        client.consulted("connections", excess is not None, reason=excess)
        if not self._said("(connection)", TOO_MANY if excess else Reply(220, "", f"{self._hostname} ESMTP Postrider")):
            return False
        name = client_name(case.helo.strip(), strict=client.context.settings.smtp_strict)
        client.helo = name or ""
        if not self._said(
            f"EHLO {case.helo}", greeting.extensions(client, self._hostname) if name else replies.HELO_SYNTAX
        ):
            return False
        if case.auth is not None and not self._said("AUTH", await self._answered(self._login(case.auth))):
            return False
        wide = any(not each.isascii() for each in (case.mail_from, *case.recipients))
        declared = "" if case.size is None else f" SIZE={case.size}"
        argument = f"FROM:<{case.mail_from}>{declared}{' SMTPUTF8' if wide else ''}"
        if not self._said(f"MAIL {argument}", await self._decided(mail.decide, "MAIL", argument)):
            return False
        taken = [
            self._said(f"RCPT TO:<{each}>", await self._decided(rcpt.decide, "RCPT", f"TO:<{each}>"))
            for each in case.recipients
        ]
        return any(taken) and self._message()

    def _said(self, command: str, reply: Reply) -> bool:
        """Keep one step; return whether the client goes on."""
        rules, self._client.rules = self._client.rules, []
        self._steps.append(
            Step(command=command, reply=reply.render().decode().rstrip().replace("\r\n", "\n"), rules=rules)
        )
        return reply.code < 400

    async def _decided(self, decide: Callable[[Client, str], Awaitable[Reply]], verb: str, argument: str) -> Reply:
        if len(f"{verb} {argument}".encode()) > LONGEST_COMMAND:
            return replies.TOO_LONG_COMMAND
        return await self._answered(decide(self._client, argument.strip()))

    @staticmethod
    async def _answered(decision: Awaitable[Reply]) -> Reply:
        """Return the decision, or the reply to a service that is away, as a session answers it."""
        try:
            return await decision
        except PostriderError as error:
            return replies.CANNOT if is_final(error) else replies.TRY_LATER

    async def _login(self, mailbox: UUID) -> Reply:
        """Log in a mailbox whose password is taken to be right; a disabled one is refused."""
        refusal = auth.refusal(self._client)
        if refusal is not None:
            return refusal
        right = (await self._client.context.senders.answer("", None, mailbox)).relay
        self._client.consulted("S3", right is None, account=right.address if right else None)
        if right is None:
            return replies.LOGIN_REFUSED
        self._client.login = LoginAnswer("ok", right.mailbox_id, right.address)
        return replies.LOGGED_IN

    def _message(self) -> bool:
        refusal = data.refusal(self._client, "")
        if not self._said("DATA", refusal or replies.START_DATA):
            return False
        context = self._client.context
        receiving = Receiving(context.settings.max_message_bytes, context.bodies)
        try:
            receiving.feed(self._written() + b".\r\n")
            found = receiving.result()
            judged = found if isinstance(found, Reply) else judge(self._client, self._client.transaction, found)
        finally:
            receiving.give_back()
        return self._said(".", judged if isinstance(judged, Reply) else replies.queued("(queue id)"))

    def _written(self) -> bytes:
        """Return a message with the given header and size, its dots doubled (RFC 5321 4.5.2)."""
        header = "".join(f"{line}\r\n" for line in self._case.header.splitlines()).encode("utf-8", "replace")
        body = header + b"\r\n"
        missing = min(self._case.size or 0, self._client.context.settings.max_message_bytes) - len(body)
        if missing > 1:
            lines, rest = divmod(missing, len(_LINE))
            body += _LINE * lines + (b"x" * (rest - 2) + b"\r\n" if rest > 1 else b"")
        return (b"\r\n" + body).replace(b"\r\n.", b"\r\n..")[2:]


TOO_MANY = Reply(421, "4.7.0", "Too many connections, try again later")


def router(simulator: Simulator) -> APIRouter:
    """Return the route POST /v1/simulate."""
    routes = APIRouter(dependencies=OPERATORS)

    @routes.post("/v1/simulate", operation_id="simulate")
    async def simulate(case: Case) -> Simulated:
        """Say what a client would be answered, and why; nothing is counted, handed over or kept."""
        return await simulator.run(case)

    return routes
