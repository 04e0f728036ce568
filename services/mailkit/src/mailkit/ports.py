"""The public ports of a service, and beside the proxied ones their direct twins (decision 9).

Once a list of proxies is set, the public listeners take nobody else. Clients that come past the proxy (a cluster's own
pods, its test) then have the same ports `POSTRIDER_DIRECT_PORT_OFFSET` higher: no PROXY header, and no OPEN-SMTP either,
because an address inside is many machines' or nobody's. `Peer.direct` says so to the protocols.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mailkit.address import BadAddress, Networks
from mailkit.connections import Connections
from mailkit.errors import ConfigError
from mailkit.listener import Context, Factory, Listener, Refusals


@dataclass(frozen=True)
class Public:
    """One public port: its listener's name, its number, who talks there, and TLS where it begins at once."""

    name: str
    port: int
    factory: Factory
    refusals: Refusals
    tls: Context | None = None


def open_ports(
    ports: Sequence[Public], host: str, connections: Connections, *, proxies: Sequence[str] = (), direct_offset: int = 0
) -> list[Listener]:
    """Listen on all of them. Raises ConfigError in one sentence."""
    try:
        networks = Networks(proxies)
    except BadAddress as error:
        raise ConfigError(f"POSTRIDER_TRUSTED_PROXIES: {error}") from None
    if any(network.prefixlen == 0 for network in networks.networks):
        raise ConfigError(
            "POSTRIDER_TRUSTED_PROXIES names a /0, which would let everybody say who he is; name networks"
        )
    opened: list[Listener] = []
    try:
        for each in ports:
            opened.append(Listener(each.name, each.factory, each.refusals, connections, proxies=networks, tls=each.tls))
            opened[-1].start(host, each.port)
            if networks and direct_offset:
                port = direct_port(each.port, direct_offset)
                opened.append(Listener(each.name, each.factory, each.refusals, connections, tls=each.tls, direct=True))
                opened[-1].start(host, port)
    except ConfigError:
        for listener in opened:
            listener.stop()
        raise
    return opened


def direct_port(port: int, offset: int) -> int:
    """The direct twin of `port`; of 0, a free one, another free one. Raises ConfigError."""
    if port + offset > 65535:
        raise ConfigError(f"POSTRIDER_DIRECT_PORT_OFFSET: {port} + {offset} is no port; choose a smaller offset")
    return port + offset if port else 0
