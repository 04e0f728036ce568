"""The rules for client addresses that may hold a grant (decision 9). Pure functions."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from auth.network_file import NetworkFile
from mailkit.errors import ConfigError
from mailkit.mail.address import BadAddress, Networks, peer_address

#: Loopback, link-local, RFC 1918, RFC 6598, ULA: many machines share these addresses, so a setting must allow them.
SHARED = Networks(
    (
        "127.0.0.0/8",
        "169.254.0.0/16",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "::1/128",
        "fe80::/10",
        "fc00::/7",
    )
)


class GrantPolicy:
    """Which addresses may hold a grant.

    Deny wins; shared address space needs an allow; unspecified and multicast addresses never do.
    `on` False: no address does, not even with an earlier grant (POSTRIDER_OPEN_SMTP).
    """

    def __init__(
        self,
        deny: Sequence[str] = (),
        allow: Sequence[str] = (),
        proxies: Sequence[str] = (),
        *,
        on: bool = True,
        file: NetworkFile | None = None,
    ) -> None:
        """Build the policy. `file`: more networks that are denied. Raises BadAddress for a malformed network, ConfigError for an allowed /0."""
        self.holder = lru_cache(maxsize=10_000)(self._holder)
        """Returns the normalised address under which a client's grant is stored; None if it may hold none."""
        self.file = file or NetworkFile("")
        self.file.on_change(self.holder.cache_clear)
        self._on = on
        self._deny = Networks((*deny, *proxies))
        self._allow = Networks(allow)
        if any(net.prefixlen == 0 for net in self._allow.networks):
            raise ConfigError(
                "POSTRIDER_GRANT_ALLOW_NETWORKS names a /0, which would let everybody relay; name networks"
            )

    def rented(self, client: str | None) -> bool:
        """Return whether this address, in normal form, may hold no grant because of the operator's file."""
        return self._on and client is not None and client in self.file

    def _holder(self, client: str | None) -> str | None:
        if client is None or not self._on:
            return None
        try:
            address = peer_address(client)
        except BadAddress:
            return None
        ip = ipaddress.ip_address(address)
        if address in self._deny or address in self.file or ip.is_unspecified or ip.is_multicast:
            return None
        if address in SHARED and address not in self._allow:
            return None
        return address
