"""The opening of an SMTP connection: connect, greeting, EHLO, STARTTLS (RFC 5321 3.1, 3.2; RFC 3207)."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime

from mailkit.process.logs import get_logger
from queue_worker.couriers import trouble
from queue_worker.couriers.conversation import Conversation, Lost
from queue_worker.couriers.models import CourierSettings
from queue_worker.couriers.trouble import Trouble
from queue_worker.tls import certificates
from queue_worker.tls.results import NO_STARTTLS, failure_of

log = get_logger()

#: IP_BIND_ADDRESS_NO_PORT of Linux: the port is chosen at connect, so that one source has 28,000 ports for each remote host.
_NO_PORT_YET = 24
#: Seconds between two log lines about one absent source address, and addresses that are remembered for it.
SAY_SECONDS, MOST_SAID = 60.0, 1000
_said: dict[str, float] = {}


async def open_connection(talk: Conversation, settings: CourierSettings, tls_failed: Trouble | None = None) -> None:
    """Connect `talk`, exchange greetings, and switch to TLS if it is offered (S6). Raises Trouble, with `talk` cut.

    `tls_failed`: an earlier failure of TLS with this host, raised again if STARTTLS is not offered (S11: no plain text).
    """
    try:
        await _connect(talk, settings)
        greeting = await talk.reply(talk.times.greeting)
        if not 200 <= greeting.code < 300:
            raise trouble.refused_session(talk.host, "", greeting)
        await _hello(talk, settings)
        if "STARTTLS" in talk.extensions and talk.tls is None:
            await _start_tls(talk, settings)
            await _hello(talk, settings)
        elif talk.policy.demands and talk.tls is None:
            why = f"the host does not offer STARTTLS{_cause(talk)}"
            raise trouble.tls_failed(talk.host, why, failure=NO_STARTTLS)
        elif tls_failed is not None:
            raise tls_failed
        if talk.policy.requiretls and "REQUIRETLS" not in talk.extensions:
            raise trouble.no_requiretls(talk.host)
    except Lost as error:
        talk.cut()
        if talk.unsolicited is not None:
            raise trouble.refused_session(talk.host, "", talk.unsolicited) from None
        raise (trouble.lost if talk.answered else trouble.silent)(talk.host, str(error)) from None
    except BaseException:
        talk.cut()
        raise


async def _connect(talk: Conversation, settings: CourierSettings) -> None:
    """Connect to the address of `talk`, from the source address of its route, with TLS where that begins with it."""
    relay, target = talk.relay, talk.target
    talk.expect(1)  # the greeting
    secure = talk.policy.context(settings.ca_file) if relay.host and relay.tls == "implicit" else None
    port = relay.port if relay.host else settings.port
    source = relay.source_for(target.address)
    sock = _bound(source) if source else None
    try:
        async with asyncio.timeout(talk.times.connect):
            loop, name = asyncio.get_running_loop(), talk.host if secure else None
            if sock is None:
                await loop.create_connection(lambda: talk, target.address, port, ssl=secure, server_hostname=name)
            else:
                await loop.sock_connect(sock, (target.address, port))
                await loop.create_connection(lambda: talk, sock=sock, ssl=secure, server_hostname=name)
                sock = None  # it is the transport's now
    except ssl.SSLError as error:
        raise trouble.tls_failed(talk.host, str(error)) from None
    except (OSError, TimeoutError) as error:
        talk.late = isinstance(error, TimeoutError)
        raise trouble.no_connection() from None
    finally:
        if sock is not None:
            sock.close()


def _bound(source: str) -> socket.socket:
    """Return a socket that connects from `source`. Raises Trouble if this machine does not have the address."""
    sock = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IP, _NO_PORT_YET, 1)
        sock.bind((source, 0))
    except OSError as error:
        sock.close()
        _say_absent(source, str(error))
        raise trouble.no_source(source) from None
    return sock


def _say_absent(source: str, error: str) -> None:
    """Log that a source address is not there, at most once a minute for each."""
    now = asyncio.get_running_loop().time()
    if now - _said.get(source, -SAY_SECONDS) >= SAY_SECONDS:
        if len(_said) >= MOST_SAID:
            _said.clear()
        _said[source] = now
        log.error("source_address_absent", address=source, error=error)


async def _hello(talk: Conversation, settings: CourierSettings) -> None:
    name = talk.relay.helo or settings.helo_name
    said = f"EHLO {name}"
    reply = await talk.command(said, talk.times.helo)
    talk.extensions = {}
    if 200 <= reply.code < 300:
        for line in reply.lines[1:]:
            keyword, _, value = line[4:].partition(" ")
            talk.extensions[keyword.upper()] = value
        return
    if talk.tls is None and 500 <= reply.code < 600:  # RFC 5321 3.2: a host that knows HELO only
        said = f"HELO {name}"
        reply = await talk.command(said, talk.times.helo)
        if 200 <= reply.code < 300:
            return
    raise trouble.refused_session(talk.host, said, reply)


async def _start_tls(talk: Conversation, settings: CourierSettings) -> None:
    talk.last_in_plain_text()
    try:
        reply = await talk.command("STARTTLS", talk.times.helo)
    except Lost as error:
        raise trouble.tls_failed(talk.host, str(error)) from None
    if reply.code != 220:
        raise trouble.tls_failed(talk.host, reply.text, reply)
    try:
        session = await talk.secure(talk.policy.context(settings.ca_file), talk.policy.server_name(talk.host))
    except (OSError, EOFError, TimeoutError, RuntimeError, Lost) as error:  # uvloop: RuntimeError for a closed handle
        why = f"{str(error) or type(error).__name__}{_cause(talk)}"
        raise trouble.tls_failed(talk.host, why, failure=failure_of(error)) from None
    if talk.policy.tlsa:
        problem = certificates.mismatch(session, talk.policy.tlsa, talk.policy.names, datetime.now(UTC))
        if problem:
            raise trouble.tls_failed(talk.host, f"{problem}{_cause(talk)}")


def _cause(talk: Conversation) -> str:
    """Return the record that asks for TLS, to be added to the reason of a failure."""
    return talk.policy.facts("") if talk.policy.demands else ""
