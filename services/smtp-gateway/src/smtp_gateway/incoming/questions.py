"""mailkit's resolver in the form that mailauth asks for: questions with one deadline for a message, and shares of client networks."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from mailauth.dns import Answer, DnsTrouble, Kind
from mailkit.mail.address import client_network
from mailkit.net.dns import MX, DnsError, NoRecord, NoSuchName, Resolver, TemporaryDnsError

#: Seconds for all questions about one message (RFC 7208 4.6.4).
SECONDS = 20.0
#: MailQuestions under way at the same time, of all messages and of those of one client network; each holds a socket.
MOST, MOST_OF_NETWORK = 1000, 100


class MailQuestions:
    """The questions of all messages. One process has one."""

    def __init__(self, resolver: Resolver, *, most: int = MOST, most_of_network: int = MOST_OF_NETWORK) -> None:
        self._resolver = resolver
        self._most = most
        self._most_of_network = most_of_network
        self._under_way: Counter[str] = Counter()

    def about(self, client: str | None, seconds: float = SECONDS) -> "MessageDns":
        """Return the resolver for a message of the client with this address; its answers are too late after `seconds`."""
        return MessageDns(self, client, asyncio.get_running_loop().time() + seconds)

    def knows(self, name: str, kind: Kind) -> bool:
        """Return whether the answer is in the cache."""
        try:
            return self._resolver.known(name, kind) is not None
        except DnsError:
            return True

    async def ask(self, client: str | None, name: str, kind: Kind, end: float) -> Answer:
        """Return the records of `name` for a message of `client`, at `end` (time of the event loop) at the latest.

        Raises DnsTrouble.
        """
        try:
            found = self._resolver.known(name, kind)
            if found is None:
                with self._counted(client):
                    async with asyncio.timeout_at(end):
                        found = await self._resolver.verbatim(name, kind)
        except NoSuchName:
            return Answer(exists=False)
        except NoRecord:
            return Answer()
        except TemporaryDnsError as error:
            raise DnsTrouble(str(error)) from None
        except TimeoutError:
            raise DnsTrouble(f"{name} {kind}: no answer in time") from None
        return Answer(tuple(each.host if isinstance(each, MX) else _without_dot(each) for each in found))

    @contextmanager
    def _counted(self, client: str | None) -> Iterator[None]:
        network = client_network(client) if client is not None else ""
        counts = self._under_way
        if counts.total() >= self._most or counts[network] >= self._most_of_network:
            raise DnsTrouble("too many questions are under way")
        counts[network] += 1
        try:
            yield
        finally:
            counts[network] -= 1
            if not counts[network]:
                del counts[network]


class MessageDns:
    """A `mailauth.dns.Dns` for one message."""

    def __init__(self, questions: MailQuestions, client: str | None, end: float) -> None:
        self._questions = questions
        self._client = client
        self._end = end

    def knows(self, name: str, kind: Kind) -> bool:
        """Return whether the answer is in the cache."""
        return self._questions.knows(name, kind)

    async def ask(self, name: str, kind: Kind) -> Answer:
        """Return the records of `name`. Raises DnsTrouble."""
        return await self._questions.ask(self._client, name, kind, self._end)


def _without_dot(record: str | bytes) -> str | bytes:
    return record.removesuffix(".") if isinstance(record, str) else record
