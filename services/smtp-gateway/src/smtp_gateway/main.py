"""Start, run and stop of the process: settings, clients of other services, three listeners, the HTTP side, drain."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from msgspec import structs

from auth_client.client import AuthClient
from auth_client.wire import RecipientAnswer, RecipientQuestion, SenderAnswer, SenderQuestion
from mailkit.address import Networks
from mailkit.batch import Batcher
from mailkit.clock import SystemClock
from mailkit.connections import Connections, Limits
from mailkit.dns import Resolver
from mailkit.lifecycle import Lifecycle
from mailkit.listener import Peer, Refusals
from mailkit.logs import configure, get_logger
from mailkit.ports import Public, open_ports
from mailkit.tarpit import Tarpit
from mailkit.tls import CertificateStore
from mailkit.tls_versions import SMTP_LISTENERS, tls_minimums
from mailkit.web import App, HttpSide, create_app
from mailstore_client.client import MailstoreClient
from mailstore_client.wire import RoomQuestion
from queue_worker_client.client import QueueClient
from smtp_gateway.accept import Acceptor
from smtp_gateway.budget import BodyBudget
from smtp_gateway.config import GatewaySettings
from smtp_gateway.policy.conduct import ClientLimits
from smtp_gateway.policy.recheck import RECHECK_SECONDS, recheck
from smtp_gateway.policy.recipient import RecipientCheck
from smtp_gateway.policy.sender import SenderCheck
from smtp_gateway.sessions import Sessions
from smtp_gateway.smtp.context import Context
from smtp_gateway.smtp.session import SmtpSession

log = get_logger()

SERVICE = "smtp-gateway"
#: Longest wait for another service's answer (seconds), including the wait for the list before it: 451 is sent within 10 s.
PATIENCE = 9.0
#: Seconds between checks for idle connections, which are ended while most connections are in use.
RELIEF_SECONDS = 2.0
_REFUSALS = Refusals(
    too_many=b"421 4.7.0 Too many connections, try again later\r\n", no_header=b"421 4.7.0 PROXY header required\r\n"
)


async def serve(life: Lifecycle, settings: GatewaySettings) -> None:
    """Run the service until the process is asked to stop."""
    configure(SERVICE, settings.log_level)
    auth = AuthClient(settings.auth_url, settings.token_gateway_auth, timeout=8)
    mailstore = MailstoreClient(settings.mailstore_url, settings.token_gateway_mailstore, timeout=8)
    queue = QueueClient(settings.queue_url, settings.token_gateway_queue, timeout=20)
    minimums = tls_minimums(settings.tls_minimum, SMTP_LISTENERS)
    certificates = CertificateStore(settings.certificates, minimums) if settings.certificates else None
    tls = certificates.server_context if certificates else None
    limits = Limits(
        settings.gateway_connections, settings.connections_per_address, Networks(settings.limit_exempt_networks),
        settings.connections_per_minute,
    )  # fmt: skip
    connections = Connections(limits)
    resolver, room = Resolver(settings.dns_servers), Batcher(mailstore.room, patience=PATIENCE)

    def crowded() -> bool:
        return connections.crowded

    context = Context(
        settings,
        SenderCheck(Batcher(auth.senders, patience=PATIENCE), resolver),
        RecipientCheck(Batcher(auth.recipients, patience=PATIENCE), room),
        ClientLimits(settings, crowded),
        Acceptor(queue, SystemClock(settings.clock_offset_seconds), settings.helo_name),
        Batcher(auth.logins, flights=4, most=20, patience=PATIENCE),
        Tarpit(settings.login_delays, settings.login_delays_per_network, crowded=crowded),
        BodyBudget(settings.gateway_body_bytes),
        Sessions(crowded),
        tls,
    )
    direct = replace(
        without_grants(context, auth, resolver, room),
        limits=ClientLimits(settings, crowded),  # the direct ports count on their own
    )
    if not settings.open_smtp:
        context = direct
    http = HttpSide(app(life), settings.http_host, settings.http_port, settings.metrics_port)
    await http.start()
    if certificates is not None:
        await certificates.measure()  # reads the certificates' names before the first connection

    def talk(peer: Peer) -> SmtpSession:
        return SmtpSession(peer, direct if peer.direct else context)

    ports = [
        Public("smtp", settings.smtp_port, talk, _REFUSALS),
        Public("submission", settings.submission_port, talk, _REFUSALS),
        *([Public("smtps", settings.smtps_port, talk, _REFUSALS, tls)] if tls else []),
    ]
    listeners = open_ports(
        ports, settings.listen_host, connections,
        proxies=settings.trusted_proxies, direct_offset=settings.direct_port_offset,
    )  # fmt: skip
    life.every(RELIEF_SECONDS, lambda: context.sessions.relieve(settings.smtp_crowded_seconds))
    life.every(RECHECK_SECONDS, lambda: recheck(context.sessions, auth))
    if certificates is not None:
        life.every(30, certificates.measure)
    life.ready = True
    log.info("ready", port=http.port)

    await life.stopping.wait()
    log.info("draining")
    await asyncio.sleep(settings.drain_delay_seconds)
    for listener in listeners:
        listener.stop()
    context.sessions.drain()
    try:
        await asyncio.wait_for(connections.idle(), max(settings.grace_seconds - 4, 1))
    except TimeoutError:
        context.sessions.abort()
    try:
        await asyncio.wait_for(context.acceptor.idle(), 2)
    except TimeoutError:
        log.warning("service_away", work="hand-over at the end")
    await http.stop()
    for client in (auth, mailstore, queue):
        await client.aclose()
    log.info("stopped")


def without_grants(context: Context, auth: AuthClient, resolver: Resolver, room: Batcher[RoomQuestion, str]) -> Context:
    """Return a copy of `context` that honours no grants: MAIL and RCPT questions to auth leave out the client address."""

    async def senders(asked: Sequence[SenderQuestion]) -> Sequence[SenderAnswer]:
        return await auth.senders([structs.replace(each, client_address=None) for each in asked])

    async def recipients(asked: Sequence[RecipientQuestion]) -> Sequence[RecipientAnswer]:
        return await auth.recipients([structs.replace(each, client_address=None) for each in asked])

    return replace(
        context,
        senders=SenderCheck(Batcher(senders, patience=PATIENCE), resolver),
        recipients=RecipientCheck(Batcher(recipients, patience=PATIENCE), room),
    )


def app(life: Lifecycle) -> App:
    """Return the HTTP application: health and metrics."""
    return create_app(SERVICE, life)
