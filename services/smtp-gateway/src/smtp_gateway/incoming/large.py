"""Messages with a large header are examined in threads: canonical forms and hashes of a megabyte take a tenth of a second."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from mailauth.dns import Answer, Kind
from smtp_gateway.incoming.examine import Examined, MessageEnvelope, examine
from smtp_gateway.incoming.questions import MessageDns

#: A larger header is processed in a thread (octets): up to there it takes 20 ms at most.
ON_THE_LOOP = 32 * 1024
#: Threads, which other work does not share: they also wait for the DNS.
THREADS = 4


class LargeHeaders:
    """Examines messages beside the event loop."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "examine")

    async def examine(
        self,
        envelope: MessageEnvelope,
        header: bytes,
        body: bytes,
        resolver: MessageDns,
        now: float,
        *,
        every: bool = False,
    ) -> Examined:
        """Return what `examine.examine` does."""
        loop = asyncio.get_running_loop()
        dns = _DnsOfLoop(resolver, loop)
        found = partial(examine, envelope, header, body, dns, now, every=every)
        return await loop.run_in_executor(self._threads, lambda: asyncio.run(found()))


class _DnsOfLoop:
    """The resolver of the event loop, asked from a thread."""

    def __init__(self, resolver: MessageDns, loop: asyncio.AbstractEventLoop) -> None:
        self._resolver = resolver
        self._outer = loop

    def part(self) -> "_DnsOfLoop":
        """Return one for a part that begins now."""
        return _DnsOfLoop(self._resolver.part(), self._outer)

    def knows(self, name: str, kind: Kind) -> bool:
        """Return True: one question after the other."""
        return True

    async def ask(self, name: str, kind: Kind) -> Answer:
        """Return the records of `name`. Raises DnsTrouble."""
        asked = asyncio.run_coroutine_threadsafe(self._resolver.ask(name, kind), self._outer)
        return await asyncio.wrap_future(asked)
