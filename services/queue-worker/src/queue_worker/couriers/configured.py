"""The courier that the settings of the service describe."""

from mailkit.errors import ConfigError
from mailkit.mail.address import BadAddress
from mailkit.net.dns import Resolver
from mailkit.process.clock import Clock
from queue_worker.config import QueueSettings
from queue_worker.couriers import CourierSettings, RemoteCourier
from queue_worker.couriers.targets import Targets
from queue_worker.storage.sts_policies import StsPolicies
from queue_worker.tls.dane import Dane
from queue_worker.tls.policies import Policies
from queue_worker.tls.report_to import ReportTo
from queue_worker.tls.results import TlsCounts
from queue_worker.tls.sts import Sts
from queue_worker.tls.sts_fetch import Fetch, Https


def courier(settings: QueueSettings, rows: StsPolicies, clock: Clock) -> RemoteCourier:
    """Return the courier for addresses of other providers. Raises ConfigError if a network setting is malformed."""
    try:
        given = CourierSettings(
            helo_name=settings.helo_name,
            port=settings.remote_smtp_port,
            dns_servers=settings.dns_servers,
            allow_networks=settings.remote_allow_networks,
            deny_networks=settings.remote_deny_networks,
            own_names=frozenset(settings.own_names),
            own_listeners=frozenset({(settings.listen_host, settings.smtp_port)}),
            ca_file=settings.route_ca_file,
            dnssec={"auto": None, "always": True, "never": False}[settings.dane],
            ipv4_only=settings.remote_ipv4_only,
        )
        return with_policies(given, rows if settings.mta_sts else None, clock, reports=settings.tls_reports)
    except BadAddress as error:
        raise ConfigError(f"POSTRIDER_REMOTE_ALLOW_NETWORKS or _DENY_NETWORKS: {error}") from error


def with_policies(
    settings: CourierSettings, rows: StsPolicies | None, clock: Clock, *, reports: bool = False
) -> RemoteCourier:
    """Return a courier that obeys the TLS policies of other domains; `rows` None: not those of MTA-STS. Raises BadAddress.

    `reports`: results are counted, to be reported.
    """
    resolver = Resolver(settings.dns_servers, dnssec=settings.dnssec)
    targets = Targets(settings, resolver)
    https, results = Https(resolver, targets.may_connect, settings.ca_file), TlsCounts(clock if reports else None)
    fetch = Fetch(https, settings.policy_port)
    sts = Sts(rows, resolver, fetch, clock, results) if rows is not None else None
    policies = Policies(sts, Dane(resolver, settings.port), results, ReportTo(resolver, https) if reports else None)
    return RemoteCourier(settings, targets, policies)
