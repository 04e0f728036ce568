"""The command loop: reads a client's commands and runs them in turn (RFC 5321 4.1.1)."""

import asyncio

from mailkit.errors import is_final
from mailkit.mail.reply import Reply
from mailkit.process.report import report
from smtp_gateway import metrics, replies
from smtp_gateway.smtp.connection import Connection

LONGEST_COMMAND = 4096
#: Verbs whose argument is the client's name, which need not be valid UTF-8.
_NAMING = frozenset(("EHLO", "HELO"))


class Commands(Connection):
    """A connection that runs commands: each verb is a method `smtp_VERB`, called with its argument or None."""

    async def converse(self) -> None:
        """Greet the client and answer its commands until the connection ends."""
        await self.say(Reply(220, "", f"{self.hostname} ESMTP Postrider"))
        while self.transport is not None and not self.closing:
            await self._answer()

    async def _answer(self) -> None:
        """Read one command and run it. Raises ConnectionResetError, EOFError."""
        try:
            line = await self._read_command()
            if line is None:
                await self.say(replies.TOO_LONG_COMMAND, "line")
            else:
                await self._carry_out(line)
        except (ConnectionResetError, EOFError):
            raise
        except Exception as error:
            await self._failed(error)

    async def _read_command(self) -> bytes | None:
        """Return the next line without its ending; None, after reading it to its end, if it is too long."""
        whole = True
        while True:
            try:
                line = await self.read_line()
            except asyncio.LimitOverrunError as error:
                await self.reader.readexactly(error.consumed)
                whole = False
                continue
            line = line.rstrip(b"\r\n")
            return line if whole and len(line) <= LONGEST_COMMAND else None

    async def _carry_out(self, line: bytes) -> None:
        name, _, rest = line.partition(b" ")
        if not name.isascii() or not name:
            return await self.say(replies.BAD_SYNTAX, "line")
        verb = name.decode("ascii").upper()
        method = self.verbs.get(verb)
        if method is None:
            return await self.say(replies.UNKNOWN_COMMAND, "unknown")
        rest = rest.strip()
        try:
            argument = rest.decode("utf-8")
        except UnicodeDecodeError:
            if verb not in _NAMING or self.context.settings.smtp_strict:
                return await self.say(replies.NOT_UTF8, verb)
            argument = rest.decode("utf-8", "replace")
        self.reset_timer()
        await method(argument or None)
        return None

    async def _failed(self, error: Exception) -> None:
        """Answer an internal error. The reply discloses only whether a retry can help: 451 if so, 554 if not."""
        report(error, "a command")
        if is_final(error):
            return await self.say(replies.CANNOT, "any")
        metrics.REFUSED.labels("any", "451").inc()
        metrics.REJECTED.labels("away").inc()
        self.writer.write(replies.TRY_LATER.render())
        await self.writer.drain()
        return None
