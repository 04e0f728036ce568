"""Where reports about TLS go: the places that a domain names, and the post to one by HTTPS (RFC 8460 3, 5.4)."""

import aiohttp

from mailkit.net.dns import DnsError, Resolver, TemporaryDnsError
from queue_worker.tls.report import places
from queue_worker.tls.sts_fetch import Https

#: Seconds that a post may take.
POST_SECONDS = 20.0


class ReportTo:
    """Looks the places up, and posts to those that are URLs, under the rules for policies (`Https`)."""

    def __init__(self, resolver: Resolver, https: Https) -> None:
        self._resolver = resolver
        self._https = https

    async def places(self, domain: str) -> list[str] | None:
        """Return addresses and URLs; none if the domain wants no reports, None if that cannot be looked up now."""
        try:
            return places(await self._resolver.txt(f"_smtp._tls.{domain}"))
        except DnsError as error:
            return None if isinstance(error, TemporaryDnsError) else []

    async def post(self, url: str, content: bytes) -> bool:
        """Return whether the place took the report."""
        try:
            async with (
                self._https.session(POST_SECONDS) as session,
                session.post(
                    url, data=content, allow_redirects=False, headers={"Content-Type": "application/tlsrpt+gzip"}
                ) as reply,
            ):
                return 200 <= reply.status < 300
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return False
