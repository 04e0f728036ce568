"""The service from its settings to its end: clients of other services, parts, listeners, background work, drain."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from auth_api.client import AuthClient
from auth_api.logins import AT_OLD_HOSTS, LoginClient
from mailkit.mail.address import Networks
from mailkit.net.connections import Connections, Limits
from mailkit.net.listener import Listener, Refusals
from mailkit.net.old_host import trust
from mailkit.net.ports import Public, open_ports
from mailkit.net.tarpit import Tarpit
from mailkit.net.tls import CertificateStore
from mailkit.net.tls_versions import MAILBOX_LISTENERS, tls_minimums
from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc.app import App, create_app
from mailkit.rpc.http_server import HttpSide
from mailstore_api.client import MailstoreClient
from pop_imap_frontend.config import FrontendSettings
from pop_imap_frontend.conversation.budget import Budget
from pop_imap_frontend.conversation.logins import Logins
from pop_imap_frontend.conversation.sessions import Sessions
from pop_imap_frontend.conversation.watch import COMPARE_SECONDS, RECHECK_SECONDS, Watch
from pop_imap_frontend.imap.context import ImapContext
from pop_imap_frontend.imap.folder.cache import SharedFolders
from pop_imap_frontend.imap.registry import VERBS as IMAP_VERBS
from pop_imap_frontend.imap.session import ImapSession
from pop_imap_frontend.pop3.context import Pop3Context
from pop_imap_frontend.pop3.leases import RENEW_SECONDS, MaildropLeases
from pop_imap_frontend.pop3.registry import VERBS as POP3_VERBS
from pop_imap_frontend.pop3.session import Pop3Session

SERVICE = "pop-imap-frontend"
_IMAP = Refusals(
    too_many=b"* BYE Too many connections, try again later\r\n", no_header=b"* BYE PROXY header required\r\n"
)
_POP3 = Refusals(too_many=b"-ERR [SYS/TEMP] Too many connections\r\n", no_header=b"-ERR PROXY header required\r\n")


@dataclass(frozen=True)
class Parts:
    """The objects that exist once per process."""

    auth: AuthClient
    for_old_hosts: AuthClient
    mailstore: MailstoreClient
    certificates: CertificateStore | None
    connections: Connections
    sessions: Sessions
    imap: ImapContext
    pop3: Pop3Context


def assemble(settings: FrontendSettings) -> Parts:
    """Construct the parts; nothing runs. Raises ConfigError or BadAddress if a setting is malformed."""
    auth = AuthClient(settings.auth_url, settings.token_frontend_auth, timeout=8)
    for_old_hosts = AuthClient(settings.auth_url, settings.token_frontend_auth, timeout=8, connections=AT_OLD_HOSTS)
    mailstore = MailstoreClient(settings.mailstore_url, settings.token_frontend_mailstore, timeout=8, connections=256)
    minimums = tls_minimums(settings.tls_minimum, MAILBOX_LISTENERS)
    certificates = CertificateStore(settings.certificates, minimums) if settings.certificates else None
    tls = certificates.server_context if certificates else None
    watch = Watch(mailstore, auth)
    mailstore.proof_of = watch.proof
    old_hosts = trust(settings.old_host_ca_file)
    exempt = Networks(settings.limit_exempt_networks)
    connections = Connections(Limits(settings.frontend_connections, settings.connections_per_address, exempt))
    tarpit = Tarpit(settings.login_delays, settings.login_delays_per_network, crowded=lambda: connections.crowded)
    asking = LoginClient(
        auth, with_scram=settings.scram == "offer", with_oauth=settings.oauth, for_old_hosts=for_old_hosts
    )
    logins = Logins(asking, auth.undo_checks, tarpit)
    return Parts(
        auth,
        for_old_hosts,
        mailstore,
        certificates,
        connections,
        Sessions(),
        ImapContext(
            mailstore=mailstore,
            logins=logins,
            watch=watch,
            tls=tls,
            plaintext_logins=settings.imap_plaintext_auth,
            idle_seconds=settings.imap_idle_seconds,
            name=settings.helo_name,
            old_host_tls=old_hosts,
            append_limit=settings.max_message_bytes,
            folders=SharedFolders(mailstore),
            commands=Budget("commands", settings.imap_commands_per_mailbox),
            literals=Budget("literals", settings.imap_literal_bytes_per_mailbox),
            unauthenticate=settings.imap_unauthenticate,
            keepalive_seconds=settings.imap_keepalive_seconds,
        ),
        Pop3Context(
            mailstore=mailstore,
            logins=logins,
            watch=watch,
            tls=tls,
            plaintext_logins=settings.pop3_plaintext_auth,
            idle_seconds=settings.pop3_idle_seconds,
            name=settings.helo_name,
            old_host_tls=old_hosts,
            leases=MaildropLeases(mailstore),
            login_delay=settings.pop3_login_delay_seconds,
        ),
    )


def web(life: Lifecycle) -> App:
    """Return the HTTP application: health and metrics."""
    return create_app(SERVICE, life)


async def start(life: Lifecycle, settings: FrontendSettings, parts: Parts) -> list[Listener]:
    """Open the public ports and start the background work. Raises ConfigError if a port is taken."""
    if parts.certificates is not None:
        await parts.certificates.measure()  # which host names they cover
    ports = _ports(settings, parts)
    internal = [replace(each, port=settings.internal_imaps_port) for each in ports if each.name == "imaps"]
    listeners = open_ports(
        ports,
        settings.listen_host,
        parts.connections,
        proxies=settings.trusted_proxies,
        direct_offset=settings.direct_port_offset,
        internal=internal if settings.internal_imaps_port else [],
    )
    life.spawn(parts.imap.watch.follow_feed())
    life.every(RECHECK_SECONDS, parts.imap.watch.recheck)
    life.every(COMPARE_SECONDS, parts.imap.watch.compare)
    life.every(RENEW_SECONDS, parts.pop3.leases.renew)
    if parts.certificates is not None:
        life.every(30, parts.certificates.measure)
    return listeners


def _ports(settings: FrontendSettings, parts: Parts) -> list[Public]:
    imap = parts.sessions.factory(lambda stream, peer: ImapSession(stream, peer, parts.imap, IMAP_VERBS))
    pop3 = parts.sessions.factory(lambda stream, peer: Pop3Session(stream, peer, parts.pop3, POP3_VERBS))
    ports = [Public("imap", settings.imap_port, imap, _IMAP), Public("pop3", settings.pop3_port, pop3, _POP3)]
    if parts.certificates is not None:
        tls = parts.certificates.server_context
        ports += [
            Public("imaps", settings.imaps_port, imap, _IMAP, tls),
            Public("pop3s", settings.pop3s_port, pop3, _POP3, tls),
        ]
    return ports


async def drain(
    life: Lifecycle, settings: FrontendSettings, parts: Parts, http: HttpSide, listeners: Sequence[Listener]
) -> None:
    """Take no new connections, end the sessions within the grace period, then close the clients."""
    for listener in listeners:
        listener.stop()
    spread = max(settings.grace_seconds - 5, 1)
    await parts.sessions.end(
        life, parts.connections, min(spread, 1.0) if settings.single_machine else spread, spread + 1
    )
    for listener in listeners:
        await listener.cut()
    await http.stop()
    await parts.auth.aclose()
    await parts.for_old_hosts.aclose()
    await parts.mailstore.aclose()


async def serve(life: Lifecycle, settings: FrontendSettings) -> None:
    """Run the service until the process is asked to stop."""
    parts = assemble(settings)
    http = HttpSide(web(life), settings.http_host, settings.http_port, settings.metrics_port)
    await http.start()
    listeners = await start(life, settings, parts)
    await life.run_until_stopped(http.port, settings.drain_delay_seconds)
    await drain(life, settings, parts, http, listeners)
