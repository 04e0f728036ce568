"""The courier that the settings of the service describe."""

from mailkit.errors import ConfigError
from mailkit.mail.address import BadAddress
from queue_worker.config import QueueSettings
from queue_worker.couriers import CourierSettings, RemoteCourier


def courier(settings: QueueSettings) -> RemoteCourier:
    """Return the courier for addresses of other providers. Raises ConfigError if a network setting is malformed."""
    try:
        return RemoteCourier(
            CourierSettings(
                helo_name=settings.helo_name,
                port=settings.remote_smtp_port,
                dns_servers=settings.dns_servers,
                allow_networks=settings.remote_allow_networks,
                deny_networks=settings.remote_deny_networks,
                own_names=frozenset(settings.own_names),
                own_listeners=frozenset({(settings.listen_host, settings.smtp_port)}),
                ca_file=settings.route_ca_file,
                ipv4_only=settings.remote_ipv4_only,
            )
        )
    except BadAddress as error:
        raise ConfigError(f"POSTRIDER_REMOTE_ALLOW_NETWORKS or _DENY_NETWORKS: {error}") from error
