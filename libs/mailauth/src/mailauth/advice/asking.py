"""The questions of one report: few at a time, each once, all of them before one deadline."""

import asyncio
from collections.abc import Sequence

from mailauth.dns import Answer, Dns, DnsTrouble, Kind, names, query_name

#: Questions under way at the same time, and questions of one report.
AT_ONCE, MOST_QUESTIONS = 20, 600


class Asking:
    """A resolver over another one. `seconds`: from now on until no question is answered any more."""

    def __init__(self, resolver: Dns, seconds: float) -> None:
        self._resolver = resolver
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._asked: dict[tuple[str, Kind], asyncio.Task[Answer]] = {}

    async def ask(self, name: str, kind: Kind) -> Answer:
        """Return the records of `name`; a name that cannot be asked for does not exist. Raises DnsTrouble."""
        asked = query_name(name.lower())
        if asked is None:
            return Answer(exists=False)
        key = asked, kind
        if key not in self._asked:
            if len(self._asked) >= MOST_QUESTIONS:
                raise DnsTrouble(f"more than {MOST_QUESTIONS} questions")
            self._asked[key] = asyncio.get_running_loop().create_task(self._ask(asked, kind))
        # one caller that is cancelled (an SPF check's own time limit) does not cancel the others' question
        return await asyncio.shield(self._asked[key])

    async def addresses(self, host: str) -> list[str]:
        """Return all addresses of `host`. Raises DnsTrouble if either family could not be asked for."""
        ipv4, ipv6 = await asyncio.gather(self.ask(host, "A"), self.ask(host, "AAAA"))
        return [*names(ipv4), *names(ipv6)]

    async def of_all(self, hosts: Sequence[str]) -> dict[str, list[str]]:
        """Return the addresses of several hosts. Raises DnsTrouble."""
        return dict(zip(hosts, await asyncio.gather(*map(self.addresses, hosts)), strict=True))

    async def close(self) -> None:
        """End the questions that nobody waits for."""
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)

    async def _ask(self, name: str, kind: Kind) -> Answer:
        try:
            async with asyncio.timeout_at(self._deadline), self._gate:
                return await self._resolver.ask(name, kind)
        except TimeoutError:
            raise DnsTrouble(f"no answer about {name} {kind} in time") from None
