"""A DNS server as it is asked, with a bound of what it answers: the owners of names decide how large answers are.

dnspython takes 0.1 ms for each record of an answer, 0.4 s for as many as a message may hold, and a message from outside may
cause a hundred questions.
"""

import asyncio
from typing import Any

import dns.exception
import dns.message
import dns.nameserver
import dns.query

#: Octets of an answer over TCP; a larger one is none. A larger one than the other number is read in a thread.
MOST_OCTETS, ON_THE_LOOP = 16 * 1024, 2 * 1024


class BoundedNameserver(dns.nameserver.Do53Nameserver):
    """A server that is asked over UDP, and over TCP for what does not fit."""

    async def async_query(
        self,
        request: dns.message.QueryMessage,
        timeout: float,
        source: str | None,
        source_port: int,
        max_size: bool,
        backend: Any,
        one_rr_per_rrset: bool = False,
        ignore_trailing: bool = False,
    ) -> dns.message.Message:
        """Return the response. Raises dns.exception.FormError, for one that is too large as well, Timeout and OSError."""
        if not max_size:
            return await super().async_query(
                request, timeout, source, source_port, max_size, backend, one_rr_per_rrset, ignore_trailing
            )
        try:
            async with asyncio.timeout(timeout):
                octets = await self._over_tcp(request.to_wire())
        except TimeoutError:
            raise dns.exception.Timeout(timeout=timeout) from None  # type: ignore[no-untyped-call]
        read = asyncio.to_thread(dns.message.from_wire, octets) if len(octets) > ON_THE_LOOP else None
        response = dns.message.from_wire(octets) if read is None else await read
        if not request.is_response(response):
            raise dns.query.BadResponse
        return response

    async def _over_tcp(self, query: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self.address, self.port)
        try:
            writer.write(len(query).to_bytes(2, "big") + query)
            size = int.from_bytes(await reader.readexactly(2), "big")
            if size > MOST_OCTETS:
                raise dns.exception.FormError(f"an answer of {size} octets")  # type: ignore[no-untyped-call]
            return await reader.readexactly(size)
        finally:
            writer.close()
