"""What all SMTP sessions of the process share."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from auth_api.logins import LoginClient
from mailkit.net.tarpit import Tarpit
from smtp_gateway.accept import Acceptor
from smtp_gateway.config import GatewaySettings
from smtp_gateway.incoming.inspection import Inspection
from smtp_gateway.incoming.scanner import ContentScanner
from smtp_gateway.journal import Journal
from smtp_gateway.policy.author import AuthorCheck
from smtp_gateway.policy.conduct import ClientLimits
from smtp_gateway.policy.recipient import RecipientCheck
from smtp_gateway.policy.sender import SenderCheck
from smtp_gateway.sign import Signatures
from smtp_gateway.smtp.budget import BodyBudget
from smtp_gateway.smtp.sessions import Sessions


@dataclass(frozen=True)
class SmtpContext:
    """The policies, the acceptor, logins, limits and TLS of the sessions, and the list of those that are open."""

    settings: GatewaySettings
    senders: SenderCheck
    recipients: RecipientCheck
    authors: AuthorCheck
    signatures: Signatures
    limits: ClientLimits
    acceptor: Acceptor
    logins: LoginClient
    tarpit: Tarpit
    """Delays the answers to logins."""
    bodies: BodyBudget
    sessions: Sessions
    tls: Callable[[str], ssl.SSLContext] | None
    """Returns the context of a listener; None: no TLS."""
    journal: Journal
    inspection: Inspection | None = None
    """Of mail from outside; None: it is taken as it comes."""
    scanner: ContentScanner | None = None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
