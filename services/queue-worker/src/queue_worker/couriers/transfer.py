"""The transfer of messages over one connection: envelope, mark, body, final dot.

With PIPELINING the next envelope follows the dot (RFC 2920 3.1), so that many messages cost one round trip each.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from mailkit.process.logs import get_logger
from mailkit.process.report import report
from queue_worker.couriers import trouble
from queue_worker.couriers.conversation import BLOCK, Conversation, Lost
from queue_worker.couriers.envelope import Envelope
from queue_worker.couriers.ledger import Ledger
from queue_worker.couriers.models import RemoteMessage
from queue_worker.couriers.replies import RemoteReply
from queue_worker.couriers.trouble import Trouble
from queue_worker.models import Claim, Result

log = get_logger()


class Broken(Exception):
    """The connection cannot be used any more. `message`, if any, was begun; its open recipients are undecided."""

    def __init__(self, message: RemoteMessage | None, found: Trouble) -> None:
        super().__init__(found.text)
        self.message, self.trouble = message, found


class Transfer:
    """Sends `work` over `talk` and reports to `ledger`; `stopping` is checked before each dot and each message."""

    def __init__(
        self, talk: Conversation, work: Sequence[RemoteMessage], ledger: Ledger, most: int, stopping: Callable[[], bool]
    ) -> None:
        self._talk = talk
        self._work = deque(work)
        self._ledger = ledger
        self._most = most
        self._stopping = stopping
        self._pipelining = "PIPELINING" in talk.extensions
        self._loading: tuple[RemoteMessage, asyncio.Task[bytes]] | None = None

    async def run(self) -> None:
        """Send until all are sent, the connection has carried `most` messages, or the service stops. Raises Broken."""
        sent: Envelope | None = None
        try:
            while not self._stopping():
                if sent is None:
                    if self._talk.closing and (self._work or self._loading is not None):
                        raise self._broken(None, "")
                    if self._talk.sent >= self._most or (sent := await self._next()) is None:
                        return
                    if self._pipelining:
                        self._send_commands(sent)
                self._prefetch()
                accepted = await self._named(sent)
                sent = await self._body(sent, accepted) if accepted else None
        finally:
            if self._loading is not None:
                self._loading[1].cancel()

    # -- bodies

    def _prefetch(self) -> None:
        """Read the next body while this message is under way; a large one waits for its turn, to save memory."""
        if self._loading is None and self._work and self._work[0].size <= BLOCK:
            message = self._work.popleft()
            task = asyncio.get_running_loop().create_task(_read(message))
            task.add_done_callback(_seen)
            self._loading = (message, task)

    async def _next(self) -> Envelope | None:
        """Return the next message's envelope; None if there is none. A message whose body cannot be read is deferred."""
        while self._loading is not None or self._work:
            try:
                if self._loading is not None:
                    (message, task), self._loading = self._loading, None
                    body = await task
                else:
                    message = self._work.popleft()
                    body = await message.load_body()
            except Exception as error:
                report(error, "load_body", queue_id=message.queue_id)
                why = trouble.local("The message could not be read from the store right now.")
                self._ledger.report(message, [trouble.deferred(r, why) for r in message.recipients])
                continue
            envelope = self._address(message, body)
            if envelope is not None:
                return envelope
        return None

    def _next_if_ready(self) -> Envelope | None:
        """Return the next envelope if its body has been read; None if not, since a dot must not wait for it."""
        while self._loading is not None and self._talk.sent + 1 < self._most and not self._stopping():
            message, task = self._loading
            if not task.done() or task.cancelled() or task.exception() is not None:
                return None
            self._loading = None
            envelope = self._address(message, task.result())
            if envelope is not None:
                return envelope
            self._prefetch()
        return None

    def _address(self, message: RemoteMessage, body: bytes) -> Envelope | None:
        envelope = Envelope(message, self._ledger.recipients(message), body, self._talk.extensions)
        if envelope.unable:
            self._ledger.report(message, [trouble.unable(r, self._talk.host, why) for r, why in envelope.unable])
        return envelope if envelope.recipients else None

    # -- MAIL, RCPT, DATA

    def _send_commands(self, envelope: Envelope, before: bytes = b"", replies: int = 0) -> None:
        if self._talk.needs_rset:
            before, replies = before + b"RSET\r\n", replies + 1
        try:
            self._talk.write(before + envelope.commands(), replies + envelope.replies)
        except Lost as error:
            raise self._broken(envelope.message, str(error)) from None

    async def _named(self, envelope: Envelope) -> list[Claim]:
        """Read the replies to the envelope and report refusals; return the recipients that the message may be sent to now."""
        talk, message = self._talk, envelope.message
        said, misled = "RSET", False
        accepted: list[Claim] = []
        refused: list[Result] = []
        try:
            if talk.needs_rset:
                await self._answer("RSET", talk.times.mail)
            said = f"MAIL From:<{message.mail_from}>"
            mail = await self._answer(envelope.mail, talk.times.mail)
            talk.needs_rset = True
            if mail.code >= 300:
                refused = [trouble.of_recipient(r, talk.host, said, mail, talk.tls) for r in envelope.recipients]
            if mail.code < 300 or self._pipelining:
                for recipient, line in zip(envelope.recipients, envelope.rcpts, strict=True):
                    said = f"RCPT To:<{recipient.address}>"
                    reply = await self._answer(line, talk.times.rcpt)
                    if mail.code >= 300:
                        misled = misled or reply.code < 300
                    elif reply.code < 300:
                        accepted.append(recipient)
                    elif not (accepted and trouble.too_many(reply)):  # these stay open for the next transaction
                        refused.append(trouble.of_recipient(recipient, talk.host, said, reply, talk.tls))
            if accepted or self._pipelining:
                said = "DATA"
                data = await self._answer("DATA", talk.times.data)
                if data.code < 300 or (data.code < 400 and misled):
                    # its replies are out of step with our commands, or it would send an empty message to recipients
                    # accepted after a refused MAIL: its reply to a dot could not be trusted
                    talk.unsolicited = data
                    raise Lost(data.text)
                if data.code < 400 and not accepted:
                    # RFC 2920 3.1: no recipient was accepted, and it expects a message all the same: send an empty one,
                    # whose reply means nothing
                    talk.write(b".\r\n", 1)
                    await talk.reply(talk.times.dot)
                if data.code >= 400 and accepted:
                    refused += [trouble.of_recipient(r, talk.host, said, data, talk.tls) for r in accepted]
                    accepted = []
        except Lost as error:
            raise self._broken(message, str(error), said) from None
        finally:
            if refused:
                self._ledger.report(message, refused)  # final, whatever happened to the connection since
        return accepted

    async def _answer(self, line: str, seconds: float) -> RemoteReply:
        """Return the reply to `line`, which is sent now unless it was pipelined. A 421 ends the connection, not the mail."""
        reply = await (self._talk.reply(seconds) if self._pipelining else self._talk.command(line, seconds))
        if reply.code == 421:
            self._talk.unsolicited = reply
            raise Lost(reply.text)
        return reply

    # -- the message itself

    async def _body(self, envelope: Envelope, accepted: list[Claim]) -> Envelope | None:
        """Commit the mark; send the body, the final dot and, if it is ready, the next envelope, which is returned."""
        talk, message, ledger = self._talk, envelope.message, self._ledger
        body = envelope.stuffed()
        try:
            if len(body) > BLOCK:
                await talk.stream(body)  # this may take long: the mark comes after it
                body = b""
            marked = await self._mark(message)
            if not marked or self._stopping():
                talk.cut()  # the attempt is lost, or the service stops: no dot
                ledger.report(message, [trouble.returned(r) for r in accepted])
                raise Broken(None, trouble.lost(talk.host, "the attempt was lost"))
            following = self._next_if_ready() if self._pipelining else None
            ledger.dot(message, talk.host, accepted)
            tail = body + b".\r\n"
            try:
                if following is not None:
                    talk.needs_rset = False
                    talk.write(tail + following.commands(), 1 + following.replies)
                else:
                    talk.write(tail, 1)
            except Lost:
                ledger.undot(message)  # nothing was written: the connection was lost while the mark was committed
                raise
        except Lost as error:
            early = talk.unsolicited
            if early is not None and early.code >= 400 and early.code != 421:
                # the host refused before the end of the message
                ledger.report(message, [trouble.of_recipient(r, talk.host, ".", early, talk.tls) for r in accepted])
            raise self._broken(message, str(error)) from None
        talk.sent += 1
        try:
            reply = await talk.reply(talk.times.dot)
        except Lost as error:
            ledger.report(message, [trouble.in_doubt(r, talk.host, str(error)) for r in accepted])
            raise Broken(None, trouble.lost(talk.host, str(error))) from None
        talk.needs_rset = False
        passed = "DSN" in talk.extensions
        ledger.report(message, [trouble.of_dot(r, talk.host, reply, talk.tls, passed) for r in accepted])
        if 300 <= reply.code < 400:
            raise Broken(None, trouble.refused_session(talk.host, ".", reply))
        return following

    async def _mark(self, message: RemoteMessage) -> bool:
        """Commit the "dot sent" mark (decision 6). After an error the attempt ends without a dot."""
        try:
            return await message.before_dot()
        except Exception as error:
            report(error, "before_dot", queue_id=message.queue_id)
            return False

    def _broken(self, message: RemoteMessage | None, why: str, said: str = "") -> Broken:
        """Return Broken for a connection lost before the dot of `message`; an unsolicited 5xx or 421 is the reason."""
        talk = self._talk
        talk.cut()
        if talk.unsolicited is not None:
            return Broken(message, trouble.refused_session(talk.host, said, talk.unsolicited))
        return Broken(message, trouble.lost(talk.host, why or talk.why))


def _seen(task: asyncio.Task[bytes]) -> None:
    """Retrieve the error of a body that was not used, so that asyncio does not report it."""
    if not task.cancelled():
        task.exception()


async def _read(message: RemoteMessage) -> bytes:
    return await message.load_body()
