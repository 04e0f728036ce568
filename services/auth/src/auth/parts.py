"""The objects of the service, each made once and given what it works with."""

from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from auth.admin.accounts import AccountRules
from auth.admin.aliases import AliasRules
from auth.admin.app_passwords import AppPasswordRules
from auth.admin.customers import CustomerRules
from auth.admin.dkim import DkimRules
from auth.admin.moves import MoveRules
from auth.admin.renames import RenameRules
from auth.admin.tokens import TokenRules
from auth.admin.zones import ZoneAdvice
from auth.config import AuthSettings
from auth.directory.authors import Authors, BounceSigner, HashSigner
from auth.directory.identity import Identities
from auth.directory.recipients import Recipients
from auth.directory.relaying import Relaying
from auth.directory.returns import Returns
from auth.directory.senders import Senders
from auth.grants import GrantPolicy
from auth.keys import make_all
from auth.login.domains import KnownDomains
from auth.login.issuer_keys import IssuerKeys
from auth.login.judge import Judge
from auth.login.logins import LoginService
from auth.login.names import LoginNames
from auth.login.noted import NotedLogins
from auth.login.old_hosts import OldHosts
from auth.login.passwords import HashQueue, Passwords
from auth.login.scram import Scram
from auth.login.sessions import SessionChecks
from auth.login.throttle import Throttle
from auth.login.tokens import AccessTokens
from auth.maintenance import PERIOD, Maintenance
from auth.moves import Moves
from auth.resolver import ZoneResolver
from auth.rotation import PERIOD as ROTATION_PERIOD
from auth.rotation import Rotation
from auth.storage.accounts import Accounts
from auth.storage.aliases import Aliases
from auth.storage.app_passwords import AppPasswords
from auth.storage.audit import Audit
from auth.storage.callers import CallerPool
from auth.storage.customers import Customers
from auth.storage.directory import Directory
from auth.storage.dkim import DkimKeys
from auth.storage.events import Events
from auth.storage.logins import LoginRows
from auth.storage.moves import MoveRows
from auth.storage.names import SCHEMA
from auth.storage.rates import RateRows
from auth.storage.renames import Renames
from auth.storage.srs import SrsKeys
from auth.storage.tokens import TokenRows
from auth.storage.verifiers import VerifierRows
from mailkit.ids import new_id
from mailkit.net.dns import Resolver
from mailkit.net.old_host import trust
from mailkit.postgres.singleton import Singleton
from mailkit.process.clock import Clock


@dataclass(frozen=True)
class Parts:
    """The objects that exist once per process."""

    pool: asyncpg.Pool
    queue: HashQueue
    grants: GrantPolicy
    senders: Senders
    recipients: Recipients
    logins: LoginService
    scram: Scram
    sessions: SessionChecks
    accounts: AccountRules
    renames: RenameRules
    aliases: AliasRules
    customers: CustomerRules
    app_passwords: AppPasswordRules
    authors: Authors
    signatures: HashSigner
    bounces: BounceSigner
    dkim: DkimRules
    zones: ZoneAdvice
    maintenance: Maintenance
    events: Events
    noted: NotedLogins
    rotation: Rotation
    tokens: TokenRules
    moves: MoveRules
    audit: Audit


def assemble(
    settings: AuthSettings,
    pool: asyncpg.Pool,
    questions: asyncpg.Pool,
    clock: Clock,
    passwords: Passwords,
    queue: HashQueue,
) -> Parts:
    """Construct the parts; nothing runs. `questions`: connections for the mail flow's senders, recipients and sessions.

    Raises ConfigError or BadAddress if a network, name server or key of the settings is malformed.
    """
    grants, exempt, proofs = settings.grants, settings.exempt, settings.proofs
    callers = CallerPool(pool)
    directory, store = Directory(questions), Accounts(callers, clock, settings.quotas)
    identities = Identities(directory, clock, grants)
    returns = Returns(SrsKeys(questions), clock, settings.returns_domain, settings.classic_keys)
    dkim_keys = DkimKeys(callers, questions)
    dkim_rules = DkimRules(dkim_keys, store, clock, Resolver(settings.dns_servers, entries=0))
    window = timedelta(seconds=settings.login_failure_window_seconds)
    throttle = Throttle(
        settings.login_failures_per_account,
        settings.login_failures_elsewhere,
        settings.login_failures_per_address,
        window,
        settings.login_failure_delay_seconds,
    )
    domains = KnownDomains(directory)
    names = LoginNames(domains)
    scram = Scram(
        VerifierRows(pool, clock),
        clock,
        queue,
        names,
        on=settings.scram != "none",
        iterations=settings.scram_iterations,
    )
    events = Events(pool, callers)
    noted = NotedLogins(events, clock)
    move_rows = MoveRows(callers, questions, clock)
    moves = Moves(move_rows)
    old_hosts = OldHosts(moves, move_rows, store, passwords, queue, clock, trust(settings.old_host_ca_file))
    accounts = AccountRules(
        store,
        clock,
        passwords,
        queue,
        scram,
        make_keys=make_all if settings.dkim_of_new_domains else list,
        identity=settings.identity_of_new_domains,
    )
    return Parts(
        pool,
        queue,
        grants,
        senders=Senders(directory, clock, grants, settings.sender_identity, identities, domains, returns),
        recipients=Recipients(
            directory,
            clock,
            Relaying(
                directory,
                RateRows(questions),
                clock,
                grants,
                domains,
                per_hour=settings.recipients_per_hour,
                exempt=exempt,
            ),
            primary_domain=settings.primary_domain,
            forwarded_per_hour=settings.forwarded_per_hour,
            returned_per_hour=settings.returned_per_hour,
            returns=returns,
            moves=moves,
        ),
        logins=LoginService(
            LoginRows(pool),
            clock,
            Judge(
                grants, passwords, queue, throttle, scram, old_hosts, exempt, proofs.derived(b"remembered passwords")
            ),
            scram,
            names,
            pop3_delay=timedelta(seconds=settings.pop3_login_delay_seconds),
            padding=timedelta(seconds=settings.pop3_login_delay_padding_seconds),
            grant=timedelta(seconds=settings.open_smtp_seconds),
            proofs=proofs,
            noted=noted,
            tokens=AccessTokens(
                settings.issuer, IssuerKeys(settings.oauth_jwks_url) if settings.issuer else None, clock
            ),
            old_hosts=old_hosts,
        ),
        scram=scram,
        sessions=SessionChecks(directory, clock, proofs, domains),
        accounts=accounts,
        renames=RenameRules(Renames(callers, clock), accounts),
        aliases=AliasRules(Aliases(callers, clock), store, clock),
        customers=CustomerRules(Customers(callers, clock), store, clock),
        app_passwords=AppPasswordRules(AppPasswords(callers, clock), store, clock),
        authors=Authors(identities, dkim_keys),
        signatures=HashSigner(identities, dkim_keys, clock, proofs),
        bounces=BounceSigner(dkim_keys, settings.helo_name),
        dkim=dkim_rules,
        zones=ZoneAdvice(
            dkim_keys,
            store,
            clock,
            ZoneResolver(settings.dns_servers),
            (settings.helo_name, *settings.own_names),
            settings.sending_hosts,
        ),
        maintenance=Maintenance(
            clock,
            window,
            Singleton(pool, clock, new_id(), SCHEMA, "maintain", period=PERIOD),
            keep_verifiers=settings.scram != "none",
            history=timedelta(days=settings.history_days),
        ),
        events=events,
        noted=noted,
        rotation=Rotation(
            dkim_keys,
            dkim_rules,
            clock,
            Singleton(pool, clock, new_id(), SCHEMA, "rotate", period=ROTATION_PERIOD),
            lifetime=timedelta(days=settings.dkim_days),
        ),
        tokens=TokenRules(TokenRows(pool, callers), clock),
        moves=MoveRules(move_rows),
        audit=Audit(callers),
    )
