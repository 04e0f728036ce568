"""Start and stop of the service: clients of other services, four listeners, change feed, re-check, HTTP side, shutdown."""

import asyncio
from collections.abc import Callable

from auth_client.client import AuthClient
from mailkit.address import Networks
from mailkit.batch import Batcher
from mailkit.clock import SystemClock
from mailkit.connections import Connections, Limits
from mailkit.lifecycle import Lifecycle
from mailkit.listener import Peer, Refusals
from mailkit.logs import configure, get_logger
from mailkit.ports import Public, open_ports
from mailkit.stream import Stream
from mailkit.tarpit import Tarpit
from mailkit.tls import CertificateStore
from mailkit.tls_versions import MAILBOX_LISTENERS, tls_minimums
from mailkit.web import App, HttpSide, create_app
from mailstore_client.client import MailstoreClient
from pop_imap_frontend.config import FrontendSettings
from pop_imap_frontend.conversation.budget import Budget
from pop_imap_frontend.conversation.logins import Logins
from pop_imap_frontend.conversation.watch import RECHECK_SECONDS, Watch
from pop_imap_frontend.imap import ImapContext, ImapSession
from pop_imap_frontend.metrics import count_bytes
from pop_imap_frontend.pop3 import Leases, Pop3Context, Pop3Session

log = get_logger()

SERVICE = "pop-imap-frontend"
_IMAP = Refusals(
    too_many=b"* BYE Too many connections, try again later\r\n", no_header=b"* BYE PROXY header required\r\n"
)
_POP3 = Refusals(too_many=b"-ERR [SYS/TEMP] Too many connections\r\n", no_header=b"-ERR PROXY header required\r\n")


async def serve(life: Lifecycle, settings: FrontendSettings) -> None:
    """Run the service until `life` is stopping, then drain its sessions."""
    configure(SERVICE, settings.log_level)
    auth = AuthClient(settings.auth_url, settings.token_frontend_auth, timeout=8)
    mailstore = MailstoreClient(settings.mailstore_url, settings.token_frontend_mailstore, timeout=8, connections=256)
    minimums = tls_minimums(settings.tls_minimum, MAILBOX_LISTENERS)
    certificates = CertificateStore(settings.certificates, minimums) if settings.certificates else None
    tls = certificates.server_context if certificates else None
    watch = Watch(mailstore, auth)
    mailstore.proof_of = watch.proof
    limits = Limits(
        settings.frontend_connections, settings.connections_per_address, Networks(settings.limit_exempt_networks)
    )
    connections = Connections(limits)
    tarpit = Tarpit(settings.login_delays, settings.login_delays_per_network, crowded=lambda: connections.crowded)
    logins = Logins(Batcher(auth.logins, flights=4, most=20), auth.undo_checks, tarpit)
    leases = Leases(mailstore)
    sessions: set[ImapSession | Pop3Session] = set()
    imap = ImapContext(
        mailstore, logins, SystemClock(settings.clock_offset_seconds), tls, settings.imap_plaintext_auth,
        settings.max_message_bytes, settings.imap_idle_seconds, settings.helo_name, watch.add,
        Budget("commands", settings.imap_commands_per_mailbox), Budget("literals", settings.imap_literal_bytes_per_mailbox),
        settings.imap_keepalive_seconds,
    )  # fmt: skip
    pop3 = Pop3Context(
        mailstore, logins, leases, tls, settings.pop3_plaintext_auth, settings.pop3_idle_seconds,
        settings.pop3_login_delay_seconds, settings.helo_name, watch.add,
    )  # fmt: skip

    def protocol(make: Callable[[Stream, Peer], ImapSession | Pop3Session]) -> Callable[[Peer], Stream]:
        def factory(peer: Peer) -> Stream:
            async def talk(stream: Stream) -> None:
                session = make(stream, peer)
                sessions.add(session)
                try:
                    await session.run()
                finally:
                    sessions.discard(session)
                    count_bytes(peer.listener, stream.received, stream.sent)

            return Stream(talk)

        return factory

    http = HttpSide(app(life), settings.http_host, settings.http_port, settings.metrics_port)
    await http.start()
    imap_talk = protocol(lambda stream, peer: ImapSession(stream, peer, imap))
    pop3_talk = protocol(lambda stream, peer: Pop3Session(stream, peer, pop3))
    if certificates is not None:
        await certificates.measure()  # which host names they cover
    ports = [
        Public("imap", settings.imap_port, imap_talk, _IMAP),
        Public("pop3", settings.pop3_port, pop3_talk, _POP3),
    ]
    if tls is not None:
        ports += [
            Public("imaps", settings.imaps_port, imap_talk, _IMAP, tls),
            Public("pop3s", settings.pop3s_port, pop3_talk, _POP3, tls),
        ]
    listeners = open_ports(
        ports, settings.listen_host, connections,
        proxies=settings.trusted_proxies, direct_offset=settings.direct_port_offset,
    )  # fmt: skip
    life.spawn(watch.follow_feed())
    life.every(RECHECK_SECONDS, watch.recheck)
    life.every(20, leases.renew)
    if certificates is not None:
        life.every(30, certificates.measure)
    life.ready = True
    log.info("ready", port=http.port)

    await life.stopping.wait()
    log.info("draining")
    await asyncio.sleep(settings.drain_delay_seconds)
    for listener in listeners:
        listener.stop()
    spread = max(settings.grace_seconds - 5, 1)
    for session in list(sessions):
        life.spawn(session.end_with_jitter(min(spread, 1.0) if settings.single_machine else spread))
    try:
        await asyncio.wait_for(connections.idle(), spread + 1)
    except TimeoutError:
        for session in list(sessions):
            session.stream.abort()
    for listener in listeners:
        await listener.cut()
    await http.stop()
    await auth.aclose()
    await mailstore.aclose()
    log.info("stopped")


def app(life: Lifecycle) -> App:
    """Create the HTTP application: health and metrics."""
    return create_app(SERVICE, life)
