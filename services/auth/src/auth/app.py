"""Assembly of auth's HTTP application; also without a database, for the OpenAPI export."""

from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from auth.accounts import AccountRules
from auth.aliases import AliasRules
from auth.config import AuthSettings
from auth.handlers import accounts, aliases, endpoints
from auth.logins import LoginService
from auth.passwords import HashQueue, Passwords
from auth.recipients import Recipients
from auth.senders import Senders
from auth.sessions import Sessions
from auth.storage.accounts import Accounts
from auth.storage.aliases import Aliases
from auth.storage.directory import Directory
from auth.storage.logins import Logins
from auth.throttle import Throttle
from mailkit.authority import Tokens
from mailkit.clock import Clock
from mailkit.lifecycle import Lifecycle
from mailkit.web import OPERATORS, App, create_app


@dataclass(frozen=True)
class Parts:
    """The objects that exist once per process."""

    settings: AuthSettings
    pool: asyncpg.Pool
    questions: asyncpg.Pool
    """Connections for the questions of the mail flow: senders, recipients, sessions."""
    clock: Clock
    passwords: Passwords
    queue: HashQueue


def build(parts: Parts, life: Lifecycle) -> App:
    """Build the application: health, five list endpoints, the operators' API."""
    settings, pool, clock = parts.settings, parts.pool, parts.clock

    async def database() -> None:
        await pool.fetchval("select 1", timeout=4)

    tokens = Tokens(
        {
            "admin": settings.admin_token,
            "gateway": settings.token_gateway_auth,
            "frontend": settings.token_frontend_auth,
        }
    )
    app = create_app("auth", life, {"database": database}, tokens)
    directory = Directory(parts.questions)
    endpoints.add_endpoints(
        app,
        Senders(directory, clock, settings.grants, settings.sender_identity),
        Recipients(
            directory, clock, settings.grants, primary_domain=settings.primary_domain,
            per_hour=settings.recipients_per_hour, forwarded_per_hour=settings.forwarded_per_hour,
            exempt=settings.exempt,
        ),
        LoginService(
            Logins(pool), clock, settings.grants, parts.passwords, parts.queue,
            Throttle(
                settings.login_failures_per_account, settings.login_failures_elsewhere,
                settings.login_failures_per_address, timedelta(seconds=settings.login_failure_window_seconds),
                settings.login_failure_delay_seconds,
            ),
            pop3_delay=timedelta(seconds=settings.pop3_login_delay_seconds),
            grant=timedelta(seconds=settings.open_smtp_seconds),
            exempt=settings.exempt, proofs=settings.proofs,
        ),
        Sessions(directory, clock, settings.proofs),
    )  # fmt: skip
    store = Accounts(pool)
    app.include_router(
        accounts.router(AccountRules(store, clock, parts.passwords, parts.queue)), dependencies=OPERATORS
    )
    app.include_router(aliases.router(AliasRules(Aliases(pool), store, clock)), dependencies=OPERATORS)
    return app
