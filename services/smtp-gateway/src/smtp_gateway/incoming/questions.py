"""mailkit's resolver in the form that mailauth asks for: questions with deadlines and bounds for messages, clients and domains."""

import asyncio
from dataclasses import dataclass
from typing import Any

from mailauth.dns import Answer, DnsTrouble, Kind
from mailkit.mail.address import client_network
from mailkit.net.dns import MX, DnsError, NoRecord, NoSuchName, QuestionGivenUp, Resolver, TemporaryDnsError
from mailkit.net.under_way import Place, TooManyUnderWay, WorkUnderWay, domain_group

#: Seconds for the questions of one part of a message's examination (RFC 7208 4.6.4).
SECONDS = 20.0
#: Questions about one message, of those whose answers are not known yet: of SPF alone RFC 7208 allows 111 for each identity.
MOST_OF_MESSAGE = 100


#: Questions under way at the same time in all, of the messages of one client network, and about one domain; each holds a socket.
BOUNDS = {"all": 1000, "network": 100, "domain": 100}
#: Seconds after which a question is given up for another one at a bound: most answers take less.
PATIENCE = 1.0


class MailQuestions:
    """The questions of all messages. One process has one."""

    def __init__(self, resolver: Resolver, under_way: WorkUnderWay | None = None) -> None:
        self._resolver = resolver
        self._under_way = under_way or WorkUnderWay(BOUNDS, patience=PATIENCE)
        self._asked: dict[tuple[str, Kind], asyncio.Future[tuple[Any, ...]]] = {}

    def about(self, client: str | None, seconds: float = SECONDS, most: int = MOST_OF_MESSAGE) -> "MessageDns":
        """Return the resolver for a message of the client with this address.

        Answers are too late after `seconds`; `most` questions are asked.
        """
        return MessageDns(self, client, seconds, Spent(most))

    def known(self, name: str, kind: Kind) -> Answer | None:
        """Return the answer if it is in the cache, else None."""
        try:
            found = self._resolver.known(name, kind)
        except NoSuchName:
            return Answer(exists=False)
        except DnsError:
            return Answer()
        return None if found is None else _answer(found)

    async def ask(self, client: str | None, name: str, kind: Kind, end: float) -> Answer:
        """Return the records of `name` for a message of `client`, at `end` (time of the event loop) at the latest.

        Raises DnsTrouble, and TooManyUnderWay or QuestionGivenUp if it was not asked, or given up, because of a bound.
        """
        key = name.lower(), kind
        asked = self._asked.get(key) or self._begin(key, client_network(client) if client is not None else "", name)
        try:
            async with asyncio.timeout_at(end):
                return _answer(await asyncio.shield(asked))
        except NoSuchName:
            return Answer(exists=False)
        except NoRecord:
            return Answer()
        except QuestionGivenUp:
            raise
        except TemporaryDnsError as error:
            raise DnsTrouble(str(error)) from None
        except TimeoutError:
            raise DnsTrouble(f"{name} {kind}: no answer in time") from None

    def _begin(self, key: tuple[str, Kind], network: str, name: str) -> asyncio.Future[tuple[Any, ...]]:
        groups = ("network", network), domain_group(name)
        place = self._under_way.take(groups, lambda: self._resolver.give_up(*key))
        asked = self._asked[key] = asyncio.ensure_future(self._resolver.verbatim(name, key[1]))
        asked.add_done_callback(lambda done: self._ended(key, place, done))
        return asked

    def _ended(self, key: tuple[str, Kind], place: Place, done: asyncio.Future[tuple[Any, ...]]) -> None:
        self._under_way.leave(place)
        del self._asked[key]
        if not done.cancelled():
            done.exception()  # retrieved, since every caller may have left


@dataclass(slots=True)
class Spent:
    """What the questions of a message have used. `limited`: a bound was reached, so that its results may be other ones later."""

    left: int
    limited: bool = False


class MessageDns:
    """A `mailauth.dns.Dns` for one message, or for a part of its examination."""

    def __init__(self, questions: MailQuestions, client: str | None, seconds: float, spent: Spent) -> None:
        self._questions = questions
        self._client = client
        self._seconds = seconds
        self._spent = spent
        self._end = asyncio.get_running_loop().time() + seconds

    @property
    def limited(self) -> bool:
        """Whether a question was not asked, or given up, because of a bound."""
        return self._spent.limited

    def part(self) -> "MessageDns":
        """Return a resolver for a part of the examination that begins now, with a deadline of its own."""
        return MessageDns(self._questions, self._client, self._seconds, self._spent)

    def knows(self, name: str, kind: Kind) -> bool:
        """Return whether the answer is in the cache."""
        return self._questions.known(name, kind) is not None

    async def ask(self, name: str, kind: Kind) -> Answer:
        """Return the records of `name`. Raises DnsTrouble."""
        known = self._questions.known(name, kind)
        if known is not None:
            return known
        self._spent.left -= 1
        try:
            if self._spent.left >= 0:
                return await self._questions.ask(self._client, name, kind, self._end)
        except (TooManyUnderWay, QuestionGivenUp):
            pass
        self._spent.limited = True
        raise DnsTrouble("too many questions about this message, from its network or about the domain")


def _answer(found: tuple[Any, ...]) -> Answer:
    return Answer(tuple(each.host if isinstance(each, MX) else _without_dot(each) for each in found))


def _without_dot(record: str | bytes) -> str | bytes:
    return record.removesuffix(".") if isinstance(record, str) else record
