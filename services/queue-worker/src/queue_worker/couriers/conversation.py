"""The client's side of SMTP, pipelined (RFC 5321, RFC 2920): 2 round trips a message, one when messages follow."""

import asyncio
import ssl
from collections import deque
from typing import Any, cast

from queue_worker.couriers import trouble
from queue_worker.couriers.models import CourierSettings, RemoteMessage, Report
from queue_worker.couriers.replies import BadReply, RemoteReply, ReplyReader
from queue_worker.couriers.targets import Target
from queue_worker.couriers.trouble import Trouble


def tls_context() -> ssl.SSLContext:
    """Opportunistic TLS (RFC 7435, decision 10): neither name nor chain is verified, and old servers are accepted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1
    try:
        context.set_ciphers("ALL:@SECLEVEL=0")
    except ssl.SSLError:
        context.set_ciphers("DEFAULT")
    return context


class Lost(Exception):
    """The connection ended, or a reply did not come in time."""


class Conversation(asyncio.Protocol):
    """One connection to one host. `open` it, then `send` messages one after the other, then `quit`."""

    def __init__(self, settings: CourierSettings, target: Target) -> None:
        self._settings = settings
        self._times = settings.timeouts
        self.host = target.host
        self._address = target.address
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = ReplyReader()
        self._waiting: deque[asyncio.Future[RemoteReply]] = deque()
        self._why = ""
        self._writable = asyncio.Event()
        self._writable.set()
        self.extensions: dict[str, str] = {}
        self.tls: str | None = None
        self.sent = 0
        self.idle_since = 0.0
        #: Final dots without an answer: such a conversation is not cut at once when the service stops.
        self.dots = 0
        self.closing = False

    # -- what the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            replies = self._reader.feed(data)
        except BadReply as error:
            return self._end(str(error))
        for reply in replies:
            if self._waiting:
                future = self._waiting.popleft()
                if not future.done():
                    future.set_result(reply)
            if reply.code == 421:
                self.closing = True  # it says goodbye, whatever the question was
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._end(str(exc) if exc else "the host closed the connection")

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _end(self, why: str) -> None:
        self._why = self._why or why
        self.closing = True
        self._writable.set()
        for future in self._waiting:
            if not future.done():
                future.set_exception(Lost(self._why))
                future.exception()
        self._waiting.clear()
        self.cut()

    def cut(self) -> None:
        """End the connection without a word; a message without its final dot is no message."""
        self.closing = True
        if self._transport is not None:
            self._transport.abort()

    # -- commands and replies

    def _expect(self) -> "asyncio.Future[RemoteReply]":
        future: asyncio.Future[RemoteReply] = self._loop.create_future()
        if self._transport is None or self._transport.is_closing():
            future.set_exception(Lost(self._why or "the connection is closed"))
            future.exception()
        else:
            self._waiting.append(future)
        return future

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    async def _reply(self, future: "asyncio.Future[RemoteReply]", seconds: float) -> RemoteReply:
        try:
            return await asyncio.wait_for(asyncio.shield(future), seconds)
        except TimeoutError:
            self._end(f"no answer within {seconds:g} s")
            raise Lost(self._why) from None

    async def _ask(self, line: str, seconds: float) -> RemoteReply:
        future = self._expect()
        self._write(line.encode() + b"\r\n")
        return await self._reply(future, seconds)

    # -- beginning and end

    async def open(self) -> None:
        """Connect, greet, switch to TLS when offered (S6). Raises Trouble."""
        greeting = self._loop.create_future()
        self._waiting.append(greeting)
        try:
            await asyncio.wait_for(
                self._loop.create_connection(lambda: self, self._address, self._settings.port), self._times.connect
            )
        except (OSError, TimeoutError):
            raise trouble.no_connection() from None
        try:
            reply = await self._reply(greeting, self._times.greeting)
            if reply.code != 220:
                raise trouble.refused_session(self.host, "", reply)
            await self._hello()
            if "STARTTLS" in self.extensions:
                await self._start_tls()
                await self._hello()
        except Lost as error:
            self.cut()
            raise trouble.lost(self.host, str(error)) from None
        except Trouble:
            self.cut()
            raise

    async def _hello(self) -> None:
        said = f"EHLO {self._settings.helo_name}"
        reply = await self._ask(said, self._times.helo)
        self.extensions = {}
        if reply.code == 250:
            for line in reply.lines[1:]:
                name, _, value = line[4:].partition(" ")
                self.extensions[name.upper()] = value
            return
        if self.tls is None and 500 <= reply.code < 600:
            said = f"HELO {self._settings.helo_name}"
            reply = await self._ask(said, self._times.helo)
            if reply.code == 250:
                return
        raise trouble.refused_session(self.host, said, reply)

    async def _start_tls(self) -> None:
        reply = await self._ask("STARTTLS", self._times.helo)
        if reply.code != 220:
            raise trouble.refused_session(self.host, "STARTTLS", reply)
        if self._transport is None:  # it hung up right behind its "go ahead"
            raise trouble.tls_failed(self.host, ConnectionError(self._why))
        self._reader.clear()
        try:
            secure = await asyncio.wait_for(
                self._loop.start_tls(self._transport, self, tls_context(), ssl_handshake_timeout=self._times.tls),
                self._times.tls + 1,
            )
        except (OSError, EOFError, TimeoutError) as error:
            raise trouble.tls_failed(self.host, error) from None
        if secure is None:
            raise trouble.tls_failed(self.host, ConnectionError("the host closed the connection"))
        self._transport = secure
        self._reader.clear()
        self.tls = str(secure.get_extra_info("ssl_object").version())

    async def quit(self) -> None:
        """Say QUIT, politely but not for long."""
        try:
            await self._ask("QUIT", self._times.quit)
        except Lost:
            pass
        self.cut()

    # -- messages

    async def send(self, messages: list[RemoteMessage], report: Report) -> list[RemoteMessage]:
        """Send `messages` in turn; outcomes go to `report`. Returns those nothing was decided about (the connection
        ended before their turn). The next message's envelope travels with the last one's body."""
        pipelining = "PIPELINING" in self.extensions
        left = deque(messages)
        envelope: _Envelope | None = None
        while left or envelope:
            if envelope is None:
                if self.closing or self.sent >= self._settings.messages_per_connection:
                    break
                envelope = await self._envelope(left.popleft(), report, pipelining)
                if envelope is None:
                    continue
            current, envelope = envelope, None
            accepted = await self._open_data(current, report)
            if accepted is None:
                continue
            following = (
                left[0] if left and pipelining and self.sent + 1 < self._settings.messages_per_connection else None
            )
            envelope = await self._body(current, accepted, following, report)
            if envelope is not None:
                left.popleft()
        return list(left)

    async def _envelope(self, message: RemoteMessage, report: Report, pipelining: bool) -> "_Envelope | None":
        """Load the body and send MAIL, RCPT and DATA; without PIPELINING one by one. None: it is settled already."""
        envelope = await self._load(message, report)
        if envelope is None:
            return None
        if pipelining:
            self._write(envelope.lines())
            envelope.expect(self._expect)
            return envelope
        try:
            envelope.mail = _done(await self._ask(envelope.mail_line, self._times.mail))
            if envelope.mail.result().code == 250:
                for recipient in message.recipients:
                    envelope.rcpts.append(_done(await self._ask(f"RCPT TO:<{recipient.address}>", self._times.rcpt)))
                if any(future.result().code in (250, 251) for future in envelope.rcpts):
                    envelope.data = _done(await self._ask("DATA", self._times.data))
        except Lost as error:
            self._broken(message, report, str(error))
            return None
        return envelope

    async def _load(self, message: RemoteMessage, report: Report) -> "_Envelope | None":
        try:
            body = await message.load_body()
        except Exception as error:
            problem = Trouble(
                "4.3.0", f"The message could not be read from the store: {type(error).__name__}. (#4.3.0)"
            )
            report([trouble.deferred(recipient, problem) for recipient in message.recipients])
            return None
        return _Envelope(message, body, self.extensions)

    def _broken(self, message: RemoteMessage, report: Report, why: str) -> None:
        problem = trouble.lost(self.host, why)
        report([trouble.deferred(recipient, problem) for recipient in message.recipients])

    async def _open_data(self, envelope: "_Envelope", report: Report) -> list[Any] | None:
        """Read the envelope's replies. The recipients that were accepted when a body may follow, else None."""
        message = envelope.message
        try:
            assert envelope.mail is not None
            mail = await self._reply(envelope.mail, self._times.mail)
            rcpts = [await self._reply(future, self._times.rcpt) for future in envelope.rcpts]
            data = await self._reply(envelope.data, self._times.data) if envelope.data is not None else None
        except Lost as error:
            self._broken(message, report, str(error))
            return None
        accepted = []
        outcomes = []
        if mail.code != 250:
            said = f"MAIL From:<{message.mail_from}>"
            outcomes = [trouble.of_recipient(r, self.host, said, mail, self.tls) for r in message.recipients]
        else:
            for recipient, reply in zip(message.recipients, rcpts, strict=True):
                if reply.code in (250, 251):
                    accepted.append(recipient)
                else:
                    said = f"RCPT To:<{recipient.address}>"
                    outcomes.append(trouble.of_recipient(recipient, self.host, said, reply, self.tls))
        if accepted and (data is None or data.code != 354):
            if data is not None:
                outcomes += [trouble.of_recipient(r, self.host, "DATA", data, self.tls) for r in accepted]
            accepted = []
        if outcomes:
            report(outcomes)
        if accepted:
            return accepted
        if data is not None and data.code == 354:
            # RFC 2920 3.1: nobody was accepted and it wants a body all the same: an empty one, its answer means nothing
            future = self._expect()
            self._write(b".\r\n")
            try:
                await self._reply(future, self._times.dot)
            except Lost:
                return None
        elif not self.closing:
            try:
                await self._ask("RSET", self._times.mail)
            except Lost:
                return None
        return None

    async def _body(
        self, envelope: "_Envelope", accepted: list[Any], following: RemoteMessage | None, report: Report
    ) -> "_Envelope | None":
        """The mark, the body, the final dot, and the next envelope behind it. Returns that envelope."""
        message = envelope.message
        self.dots += 1
        try:
            if self.closing or not await message.before_dot():
                self.cut()  # the attempt is somebody else's by now: no dot
                report([trouble.returned(recipient) for recipient in accepted])
                return None
            if self._transport is None:  # it broke while the mark was written: no dot went out
                self._broken_for(accepted, report)
                return None
            final = self._expect()
            await self._stream(envelope.stuffed())
            nxt = await self._load(following, report) if following is not None else None
            self._write(b".\r\n" + (nxt.lines() if nxt else b""))
            if nxt:
                nxt.expect(self._expect)
            self.sent += 1
            try:
                reply = await self._reply(final, self._times.dot)
            except Lost as error:
                report([trouble.in_doubt(recipient, self.host, str(error)) for recipient in accepted])
            else:
                report([trouble.of_dot(recipient, self.host, reply, self.tls) for recipient in accepted])
            return nxt
        finally:
            self.dots -= 1

    def _broken_for(self, recipients: list[Any], report: Report) -> None:
        problem = trouble.lost(self.host, self._why)
        report([trouble.deferred(recipient, problem) for recipient in recipients])

    async def _stream(self, body: bytes) -> None:
        """Write a large body no faster than the host reads."""
        if len(body) <= 256 * 1024:
            return self._write(body)
        view = memoryview(body)
        for start in range(0, len(view), 256 * 1024):
            self._write(bytes(view[start : start + 256 * 1024]))
            try:
                await asyncio.wait_for(self._writable.wait(), self._times.block)
            except TimeoutError:
                return self._end(f"the host did not read within {self._times.block:g} s")
        return None


class _Envelope:
    """One message's commands and the futures of their replies."""

    def __init__(self, message: RemoteMessage, body: bytes, extensions: dict[str, str]) -> None:
        self.message = message
        self._body = body
        parameters = f" SIZE={len(body)}" if "SIZE" in extensions else ""
        if message.eight_bit and "8BITMIME" in extensions:  # without it, eight bits are sent all the same
            parameters += " BODY=8BITMIME"
        if message.smtputf8 and "SMTPUTF8" in extensions:
            parameters += " SMTPUTF8"
        self.mail_line = f"MAIL FROM:<{message.mail_from}>{parameters}"
        self.mail: asyncio.Future[RemoteReply] | None = None
        self.rcpts: list[asyncio.Future[RemoteReply]] = []
        self.data: asyncio.Future[RemoteReply] | None = None

    def lines(self) -> bytes:
        rcpts = "".join(f"RCPT TO:<{recipient.address}>\r\n" for recipient in self.message.recipients)
        return f"{self.mail_line}\r\n{rcpts}DATA\r\n".encode()

    def expect(self, expect: Any) -> None:
        """The futures of the replies to `lines`, in order."""
        self.mail = expect()
        self.rcpts = [expect() for _ in self.message.recipients]
        self.data = expect()

    def stuffed(self) -> bytes:
        """The body with dots doubled (RFC 5321 4.5.2), ended by a line end."""
        body = self._body
        if body[:1] == b".":
            body = b"." + body
        if b"\r\n." in body:
            body = body.replace(b"\r\n.", b"\r\n..")
        return body if body.endswith(b"\r\n") else body + b"\r\n"


def _done(reply: RemoteReply) -> "asyncio.Future[RemoteReply]":
    future: asyncio.Future[RemoteReply] = asyncio.get_running_loop().create_future()
    future.set_result(reply)
    return future
