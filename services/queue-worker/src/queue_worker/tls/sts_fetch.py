"""The fetch of an MTA-STS policy over HTTPS (RFC 8461 3.3): one request to public addresses, bounded in time and octets."""

import socket
from collections.abc import Callable

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from mailkit.net.dns import DnsError, Resolver
from queue_worker.tls.policy import verified
from queue_worker.tls.sts_text import MOST_OCTETS

#: Seconds that a fetch may take, connecting included; RFC 8461 3.3 suggests at most a minute. Mail waits for it.
FETCH_SECONDS = 10.0
#: Most addresses of a policy host that are tried.
MOST_ADDRESSES = 6


class FetchFailed(Exception):
    """No policy was fetched. `failure` is the result type of RFC 8460 4.3."""

    def __init__(self, failure: str, text: str) -> None:
        super().__init__(text)
        self.failure = failure


class Https:
    """Makes sessions that connect only to addresses that `allowed` says may be connected to (decision 37), with certificates verified."""

    def __init__(self, resolver: Resolver, allowed: Callable[[str], bool], ca_file: str) -> None:
        self._resolver = _Addresses(resolver, allowed)
        self._allowed = allowed
        self._ca_file = ca_file

    def session(self, seconds: float) -> aiohttp.ClientSession:
        """Return a session whose requests take at most `seconds` each."""
        connector = aiohttp.TCPConnector(
            resolver=self._resolver,
            ssl=verified(self._ca_file),
            use_dns_cache=False,
            force_close=True,
            socket_factory=self._socket,
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity"},
            auto_decompress=False,
        )

    def _socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """Return a socket for an allowed address; no resolver is asked about an address in a URL. Raises OSError."""
        family, kind, protocol, _, (address, *_) = info
        if not self._allowed(str(address)):
            raise OSError(f"{address} is no public address")
        return socket.socket(family, kind, protocol)


class Fetch:
    """Fetches policies. `port` is another one than 443 in tests."""

    def __init__(self, https: Https, port: int = 443) -> None:
        self._https = https
        self._port = port

    async def __call__(self, domain: str) -> str:
        """Return the text of the policy of `domain`. Raises FetchFailed."""
        port = "" if self._port == 443 else f":{self._port}"
        url = f"https://mta-sts.{domain}{port}/.well-known/mta-sts.txt"
        try:
            async with (
                self._https.session(FETCH_SECONDS) as session,
                session.get(url, allow_redirects=False) as reply,
            ):
                if reply.status != 200 or reply.content_type != "text/plain":
                    raise FetchFailed("sts-policy-fetch-error", f"{url} answered {reply.status} {reply.content_type}")
                return await _text(reply, url)
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            raise FetchFailed("sts-webpki-invalid", f"{url}: {error}") from None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise FetchFailed("sts-policy-fetch-error", f"{url}: {error or type(error).__name__}") from None


async def _text(reply: aiohttp.ClientResponse, url: str) -> str:
    body = bytearray()
    async for piece in reply.content.iter_chunked(8192):
        body += piece
        if len(body) > MOST_OCTETS:
            raise FetchFailed("sts-policy-invalid", f"{url} is longer than {MOST_OCTETS} octets")
    return body.decode("utf-8", "replace")


class _Addresses(AbstractResolver):
    """The allowed addresses of a name, as our own resolver knows them."""

    def __init__(self, resolver: Resolver, allowed: Callable[[str], bool]) -> None:
        self._resolver, self._allowed = resolver, allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        try:
            found = [address for address in await self._resolver.addresses(host) if self._allowed(address)]
        except DnsError as error:
            raise OSError(str(error)) from None
        if not found:
            raise OSError(f"{host} has no public address")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found[:MOST_ADDRESSES]
        ]

    async def close(self) -> None:
        """Keep the resolver, which is the process's."""
