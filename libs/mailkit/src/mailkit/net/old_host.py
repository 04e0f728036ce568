"""A login at the IMAP or POP3 server that a domain moves away from (docs/decisions/0126): TLS from the first octet, verified.

What the server says is bounded in octets and time, and nothing of it is shown to a client.
"""

import asyncio
import ssl
from dataclasses import dataclass

from mailkit.errors import ConfigError, Unavailable

#: Longest line of the server, in octets, and most lines before its answer to a command.
LINE = 8192
MOST_LINES = 100
#: Deadline, in seconds, for a closing connection to send what is left.
CLOSE_SECONDS = 10.0
#: What a server may say in brackets of a login that failed for another reason than the password (RFC 2449, 3206, 5530).
_TEMPORARY = (b"UNAVAILABLE", b"INUSE", b"LIMIT", b"SERVERBUG", b"SYS/", b"IN-USE", b"LOGIN-DELAY")


class WrongPassword(Exception):
    """The server refuses the name or the password."""


@dataclass(frozen=True, slots=True)
class OldConnection:
    """A connection that is logged in. `capabilities`: of IMAP, as the server listed them with its OK; empty if it did not."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    capabilities: bytes = b""

    def shown(self) -> bytes:
        """Return the capabilities as a client may see them: printable, without what is over once TLS and a login are there."""
        words = bytes(c for c in self.capabilities if 32 <= c < 127 and c != 93).split()
        return b" ".join(each for each in words if each.upper() not in (b"STARTTLS", b"LOGINDISABLED"))

    def close(self) -> None:
        """Send what is left, and close; abort after CLOSE_SECONDS."""
        self.writer.close()
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.writer.transport.abort)


def trust(ca_file: str) -> ssl.SSLContext:
    """Return the context that verifies old hosts: the system's authorities, and those of `ca_file`. Raises ConfigError."""
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"POSTRIDER_OLD_HOST_CA_FILE: {error}") from error
    return context


async def log_in(
    protocol: str, host: str, port: int, user: str, password: str, *, tls: ssl.SSLContext, seconds: float
) -> OldConnection:
    """Connect by `protocol` (imap or pop3) and log in, within `seconds`. Raises WrongPassword, Unavailable."""
    if not user or any(c in "\r\n\0" for c in user + password):
        raise WrongPassword
    writer: asyncio.StreamWriter | None = None
    made = None
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(host, port, ssl=tls, limit=LINE)
            if protocol == "imap":
                made = OldConnection(reader, writer, await _imap(reader, writer, user.encode(), password.encode()))
            else:
                await _pop3(reader, writer, user.encode(), password.encode())
                made = OldConnection(reader, writer)
        return made
    except TimeoutError:
        raise Unavailable(f"{host} does not answer") from None
    except (OSError, EOFError, ValueError) as error:  # ValueError: a line above the limit
        raise Unavailable(f"{host} cannot be asked: {type(error).__name__}") from error
    finally:
        if made is None and writer is not None:
            writer.transport.abort()


async def log_out(protocol: str, connection: OldConnection, *, seconds: float) -> None:
    """End a session; POP3's lock is released when the server has answered. An error is no matter."""
    try:
        async with asyncio.timeout(seconds):
            connection.writer.write(b"z LOGOUT\r\n" if protocol == "imap" else b"QUIT\r\n")
            for _ in range(MOST_LINES):
                line = await connection.reader.readuntil(b"\n")
                if protocol != "imap" or line.startswith(b"z "):
                    break
    except (OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError):
        pass
    finally:
        connection.close()


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return (await reader.readuntil(b"\n")).rstrip(b"\r\n")
    except asyncio.LimitOverrunError as error:
        raise ValueError("a line is too long") from error


async def _imap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, user: bytes, password: bytes) -> bytes:
    """Log in with LOGIN (RFC 3501 6.2.3), whose arguments are literals where quoting does not do; return the capabilities."""
    if not (await _line(reader)).upper().startswith(b"* OK"):
        raise Unavailable("the old host's IMAP server does not greet")
    writer.write(b"a LOGIN ")
    for place, text in enumerate((user, password)):
        if text.isascii() and len(text) < 1000:
            writer.write(b'"%b"' % text.replace(b"\\", b"\\\\").replace(b'"', b'\\"'))
        else:
            writer.write(b"{%d}\r\n" % len(text))
            if not (await _line(reader)).startswith(b"+"):
                raise Unavailable("the old host's IMAP server takes no literal")
            writer.write(text)
        writer.write(b" " if place == 0 else b"\r\n")
    capabilities = b""
    for _ in range(MOST_LINES):
        line = await _line(reader)
        upper = line.upper()
        if upper.startswith(b"* CAPABILITY "):
            capabilities = line[len(b"* CAPABILITY ") :]
        elif upper.startswith(b"A OK"):
            return _in_brackets(line) or capabilities
        elif upper.startswith(b"A "):
            raise _refusal(upper, wrong=upper.startswith(b"A NO"))
    raise Unavailable("the old host's IMAP server does not answer the login")


def _in_brackets(line: bytes) -> bytes:
    """Return the capabilities in `a OK [CAPABILITY …] text`."""
    start = line.upper().find(b"[CAPABILITY ")
    return line[start + len(b"[CAPABILITY ") :].partition(b"]")[0] if start >= 0 else b""


async def _pop3(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, user: bytes, password: bytes) -> None:
    """Log in with USER and PASS (RFC 1939 7)."""
    if not (await _line(reader)).startswith(b"+OK"):
        raise Unavailable("the old host's POP3 server does not greet")
    for command in (b"USER " + user, b"PASS " + password):
        writer.write(command + b"\r\n")
        line = await _line(reader)
        if not line.startswith(b"+OK"):
            raise _refusal(line.upper(), wrong=line.startswith(b"-ERR"))


def _refusal(line: bytes, *, wrong: bool) -> Exception:
    if wrong and not any(b"[" + code in line for code in _TEMPORARY):
        return WrongPassword()
    return Unavailable("the old host cannot take the login now")
