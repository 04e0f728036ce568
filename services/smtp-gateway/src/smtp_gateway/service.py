"""The service from its settings to its end: clients of other services, parts, listeners, background work, drain."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from auth_api.client import AuthClient
from auth_api.logins import AT_OLD_HOSTS, LoginClient
from mailkit.mail.address import Networks
from mailkit.net.connections import Connections, Limits
from mailkit.net.dns import Resolver
from mailkit.net.listener import Listener, Peer, Refusals
from mailkit.net.ports import Public, open_ports
from mailkit.net.tarpit import Tarpit
from mailkit.net.tls import CertificateStore
from mailkit.net.tls_versions import SMTP_LISTENERS, tls_minimums
from mailkit.process.clock import SystemClock
from mailkit.process.lifecycle import Lifecycle
from mailkit.process.logs import get_logger
from mailkit.rpc.app import App, create_app
from mailkit.rpc.authority import LARGEST_FORM, Tokens
from mailkit.rpc.batch import Batcher
from mailkit.rpc.http_server import HttpSide
from mailstore_api.client import MailstoreClient
from queue_worker_api.client import QueueClient
from smtp_gateway import replies
from smtp_gateway.accept import Acceptor
from smtp_gateway.config import GatewaySettings
from smtp_gateway.incoming.inspection import Inspection
from smtp_gateway.incoming.scanner import ContentScanner
from smtp_gateway.journal import COUNTED_SECONDS, Journal
from smtp_gateway.policy.author import AuthorCheck
from smtp_gateway.policy.conduct import ClientLimits
from smtp_gateway.policy.grants import WithoutGrants
from smtp_gateway.policy.recipient import RecipientCheck
from smtp_gateway.policy.sender import SenderCheck
from smtp_gateway.refusals import SEND_SECONDS, RefusalTrace
from smtp_gateway.sign import Signatures
from smtp_gateway.simulation.simulator import Simulator, router
from smtp_gateway.smtp.budget import BodyBudget
from smtp_gateway.smtp.context import SmtpContext
from smtp_gateway.smtp.registry import VERBS
from smtp_gateway.smtp.session import SmtpSession
from smtp_gateway.smtp.sessions import RECHECK_SECONDS, RELIEF_SECONDS, Sessions

log = get_logger()

SERVICE = "smtp-gateway"
#: Longest wait for another service's answer (seconds), including the wait for the list before it: 451 is sent within 10 s.
PATIENCE = 9.0
#: Messages in one list to be signed: each takes auth about a millisecond of a processor.
SIGNED_AT_ONCE = 32
_REFUSALS = Refusals(too_many=replies.TOO_MANY_CONNECTIONS.render(), no_header=replies.NO_PROXY_HEADER.render())


@dataclass(frozen=True)
class Parts:
    """The objects that exist once per process. `direct`: the context of clients that connect without the proxy."""

    auth: AuthClient
    for_old_hosts: AuthClient
    mailstore: MailstoreClient
    queue: QueueClient
    recording: QueueClient
    """The client that records refusals."""
    refusals: RefusalTrace
    certificates: CertificateStore | None
    connections: Connections
    context: SmtpContext
    direct: SmtpContext
    simulator: Simulator


def assemble(settings: GatewaySettings) -> Parts:
    """Construct the parts; nothing runs. Raises ConfigError or BadAddress if a setting is malformed."""
    auth = AuthClient(settings.auth_url, settings.token_gateway_auth, timeout=8)
    for_old_hosts = AuthClient(settings.auth_url, settings.token_gateway_auth, timeout=8, connections=AT_OLD_HOSTS)
    mailstore = MailstoreClient(settings.mailstore_url, settings.token_gateway_mailstore, timeout=8)
    queue = QueueClient(settings.queue_url, settings.token_gateway_queue, timeout=20)
    recording = QueueClient(settings.queue_url, settings.token_gateway_queue, connections=1)
    minimums = tls_minimums(settings.tls_minimum, SMTP_LISTENERS)
    certificates = CertificateStore(settings.certificates, minimums) if settings.certificates else None
    exempt = Networks(settings.limit_exempt_networks)
    connections = Connections(
        Limits(settings.gateway_connections, settings.connections_per_address, exempt, settings.connections_per_minute)
    )
    resolver, quota = Resolver(settings.dns_servers), Batcher(mailstore.room, patience=PATIENCE)
    of_senders = Batcher(auth.uncharged_recipients, patience=PATIENCE)

    def crowded() -> bool:
        return connections.crowded

    refusals = RefusalTrace(recording)
    journal = Journal(refusals)
    clock = SystemClock(settings.clock_offset_seconds)
    context = SmtpContext(
        settings=settings,
        senders=SenderCheck(Batcher(auth.senders, patience=PATIENCE), resolver),
        recipients=RecipientCheck(Batcher(auth.recipients, patience=PATIENCE), quota, of_senders),
        authors=AuthorCheck(Batcher(auth.authors, patience=PATIENCE)),
        signatures=Signatures(Batcher(auth.signatures, most=SIGNED_AT_ONCE, flights=2, patience=PATIENCE), clock),
        limits=ClientLimits(settings, crowded),
        acceptor=Acceptor(queue, clock, settings.helo_name, journal),
        logins=LoginClient(
            auth,
            with_scram=settings.scram == "offer",
            with_oauth=settings.oauth,
            patience=PATIENCE,
            for_old_hosts=for_old_hosts,
        ),
        tarpit=Tarpit(settings.login_delays, settings.login_delays_per_network, crowded=crowded),
        bodies=BodyBudget(settings.gateway_body_bytes),
        sessions=Sessions(crowded),
        tls=certificates.server_context if certificates else None,
        journal=journal,
        inspection=_inspection(settings, clock),
        scanner=ContentScanner(settings.scanner_url, settings.scanner_seconds) if settings.scanner_url else None,
    )
    without = WithoutGrants(auth)
    direct = replace(
        context,
        senders=SenderCheck(Batcher(without.senders, patience=PATIENCE), resolver),
        recipients=RecipientCheck(Batcher(without.recipients, patience=PATIENCE), quota, of_senders),
        authors=AuthorCheck(Batcher(without.authors, patience=PATIENCE)),
        signatures=Signatures(Batcher(without.signatures, most=SIGNED_AT_ONCE, flights=2, patience=PATIENCE), clock),
    )
    of_proxies = context if settings.open_smtp else direct
    simulator = Simulator(context, auth, mailstore.room, resolver, connections, patience=PATIENCE)
    return Parts(
        auth,
        for_old_hosts,
        mailstore,
        queue,
        recording,
        refusals,
        certificates,
        connections,
        of_proxies,
        direct,
        simulator,
    )


def _inspection(settings: GatewaySettings, clock: SystemClock) -> Inspection | None:
    """Return what inspects mail from outside, with a resolver whose answers are kept apart from those about senders."""
    if not settings.authenticate_mail:
        return None
    resolver = Resolver(settings.dns_servers, timeout=2, lifetime=6)
    return Inspection(settings, resolver, clock.timestamp)


def web(settings: GatewaySettings, life: Lifecycle, simulator: Simulator) -> App:
    """Return the HTTP application: health, metrics, and simulations, which have a token of their own."""
    app = create_app(SERVICE, life, None, Tokens({"simulate": settings.token_simulate_gateway}))
    app.authority.allow("/v1/simulate", "simulate", most=LARGEST_FORM)
    app.include_router(router(simulator))
    return app


async def start(life: Lifecycle, settings: GatewaySettings, parts: Parts) -> Sequence[Listener]:
    """Start the listeners and the background work. Raises ConfigError."""
    tls, sessions = parts.context.tls, parts.context.sessions

    def session(peer: Peer) -> SmtpSession:
        return SmtpSession(peer, parts.direct if peer.direct else parts.context, VERBS)

    if parts.certificates is not None:
        await parts.certificates.measure()  # reads the certificates' names before the first connection
    ports = [
        Public("smtp", settings.smtp_port, session, _REFUSALS),
        Public("submission", settings.submission_port, session, _REFUSALS),
        *([Public("smtps", settings.smtps_port, session, _REFUSALS, tls)] if tls else []),
    ]
    listeners = open_ports(
        ports,
        settings.listen_host,
        parts.connections,
        proxies=settings.trusted_proxies,
        direct_offset=settings.direct_port_offset,
        internal=[Public("submission", settings.internal_submission_port, session, _REFUSALS)]
        if settings.internal_submission_port
        else [],
    )
    life.every(RELIEF_SECONDS, lambda: sessions.relieve(settings.smtp_crowded_seconds))
    life.every(COUNTED_SECONDS, parts.context.journal.count)
    life.every(SEND_SECONDS, parts.refusals.send)
    life.every(RECHECK_SECONDS, lambda: sessions.recheck(parts.auth))
    if parts.certificates is not None:
        life.every(30, parts.certificates.measure)
    return listeners


async def drain(settings: GatewaySettings, parts: Parts, http: HttpSide, listeners: Sequence[Listener]) -> None:
    """Take no new clients, let transactions end within the grace period, hand over what was received, close the clients."""
    for listener in listeners:
        listener.stop()
    parts.context.sessions.drain()
    try:
        await asyncio.wait_for(parts.connections.idle(), max(settings.grace_seconds - 4, 1))
    except TimeoutError:
        parts.context.sessions.abort()
    try:
        await asyncio.wait_for(parts.context.acceptor.idle(), 2)
    except TimeoutError:
        log.warning("service_away", work="hand-over at the end")
    await parts.context.journal.count()
    await parts.refusals.send()
    await http.stop()
    if parts.context.scanner is not None:
        await parts.context.scanner.aclose()
    for client in (parts.auth, parts.for_old_hosts, parts.mailstore, parts.queue, parts.recording):
        await client.aclose()


async def serve(life: Lifecycle, settings: GatewaySettings) -> None:
    """Run the service until the process is asked to stop."""
    parts = assemble(settings)
    http = HttpSide(web(settings, life, parts.simulator), settings.http_host, settings.http_port, settings.metrics_port)
    await http.start()
    listeners = await start(life, settings, parts)
    await life.run_until_stopped(http.port, settings.drain_delay_seconds)
    await drain(settings, parts, http, listeners)
