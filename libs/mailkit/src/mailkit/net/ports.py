"""The public ports of a service and, beside proxied ones, their direct ports (decision 9).

Once a list of proxies is set, the public listeners accept no other peers. Clients that connect without the proxy (a cluster's
own pods, its test) use the same ports `POSTRIDER_DIRECT_PORT_OFFSET` higher: without PROXY headers, and without OPEN-SMTP,
because an address inside the cluster may stand for many machines. `Peer.direct` is true for these clients.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mailkit.errors import ConfigError
from mailkit.mail.address import BadAddress, Networks
from mailkit.net.connections import Connections
from mailkit.net.listener import Context, Factory, Listener, Refusals


@dataclass(frozen=True)
class Public:
    """A public port: name and number of the listener, its protocol, and the context if TLS is implicit."""

    name: str
    port: int
    factory: Factory
    refusals: Refusals
    tls: Context | None = None


def open_ports(
    ports: Sequence[Public],
    host: str,
    connections: Connections,
    *,
    proxies: Sequence[str] = (),
    direct_offset: int = 0,
    internal: Sequence[Public] = (),
) -> list[Listener]:
    """Listen on all `ports` and, with `proxies` and `direct_offset`, on their direct ports; and on `internal` ones. Raises ConfigError."""
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
        for each in internal:
            opened.append(Listener(each.name, each.factory, each.refusals, connections, tls=each.tls, internal=True))
            opened[-1].start(host, each.port)
    except ConfigError:
        for listener in opened:
            listener.stop()
        raise
    return opened


def direct_port(port: int, offset: int) -> int:
    """Return the direct port of `port`; 0 (a free one) for 0. Raises ConfigError."""
    if port + offset > 65535:
        raise ConfigError(f"POSTRIDER_DIRECT_PORT_OFFSET: {port} + {offset} is no port; choose a smaller offset")
    return port + offset if port else 0
