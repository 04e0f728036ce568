"""One simulated dialogue: a client that exists nowhere else, command by command, as far as a client would go."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from auth_api.wire import LoginAnswer
from mailkit.errors import PostriderError, is_final
from mailkit.mail.reply import Reply
from mailkit.net.connections import Connections
from mailkit.net.listener import Peer
from smtp_gateway import replies
from smtp_gateway.simulation.forms import Case, ConsultedRule, Destination, Simulated, Step
from smtp_gateway.smtp.chunks import Chunks
from smtp_gateway.smtp.client import Client
from smtp_gateway.smtp.context import SmtpContext
from smtp_gateway.smtp.paths import client_name
from smtp_gateway.smtp.session import LONGEST_COMMAND
from smtp_gateway.smtp.taking import inspect, judge, judge_author
from smtp_gateway.smtp.verbs import auth, data, greeting, mail, rcpt
from smtp_gateway.transaction import Transaction

_LINE = b"x" * 76 + b"\r\n"


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


class Dialogue:
    """One simulated dialogue; `run` it once."""

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
                Destination(
                    address=each.address,
                    recipient=each.original,
                    mailbox=each.mailbox_id,
                    via=each.via,
                    sender=each.sender,
                )
                for each in transaction.targets.values()
            ]
            if accepted
            else [],
        )

    async def _talk(self) -> bool:
        case, client = self._case, self._client
        excess = self._connections.excess(client.peer.address)
        client.consulted("connections", excess is not None, reason=excess)
        if not self._said(
            "(connection)",
            replies.TOO_MANY_CONNECTIONS if excess else Reply(220, "", f"{self._hostname} ESMTP Postrider"),
        ):
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
        return any(taken) and await self._message()

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

    async def _message(self) -> bool:
        receiving = data.begin(self._client, "")
        if isinstance(receiving, Reply):
            return self._said("DATA", receiving)
        try:
            if not self._said("DATA", replies.START_DATA):
                return False
            receiving.feed(self._written() + b".\r\n")
            found = receiving.result()
            reply = found if isinstance(found, Reply) else await self._answered(self._judged(found))
        finally:
            receiving.give_back()
        return self._said(".", reply)

    async def _judged(self, body: bytes) -> Reply:
        """Return the reply to the final dot of a message that queue-worker takes; its signatures fail, as its body is made up."""
        transaction = self._client.transaction
        judged = judge(self._client, transaction, body)
        if isinstance(judged, Reply):
            return judged
        refusal = (await inspect(self._client, transaction, *judged)).refusal
        if refusal is not None:
            return refusal
        if transaction.relay is not None:
            author = await judge_author(self._client, transaction, judged[1])
            if isinstance(author, Reply):
                return author
        return replies.queued("(queue id)")

    def _written(self) -> bytes:
        """Return a message with the given header and size, its dots doubled (RFC 5321 4.5.2)."""
        header = "".join(f"{line}\r\n" for line in self._case.header.splitlines()).encode("utf-8", "replace")
        body = header + b"\r\n"
        missing = min(self._case.size or 0, self._client.context.settings.max_message_bytes) - len(body)
        if missing > 1:
            lines, rest = divmod(missing, len(_LINE))
            body += _LINE * lines + (b"x" * (rest - 2) + b"\r\n" if rest > 1 else b"")
        return (b"\r\n" + body).replace(b"\r\n.", b"\r\n..")[2:]
