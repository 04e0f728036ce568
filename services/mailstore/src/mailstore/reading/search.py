"""SEARCH (RFC 3501 6.4.4): keys on columns become one SQL expression; text in bodies is searched afterwards.

Subtrees of a program that columns answer exactly are evaluated in the statement; the rest is evaluated on the bodies
of the candidates that the statement cannot rule out, in bounded batches.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg

from bodystore import BodyStore
from mailkit.errors import BadRequest, OverLimit
from mailkit.postgres.pool import translated
from mailstore.mime import section
from mailstore.mime.search import Searched, fold
from mailstore.model.keywords import mask_of
from mailstore.reading.octets import Octets
from mailstore.storage.store import pack, pack_uids, sql
from mailstore_api.wire import MOST_RANGES, Found, SearchQuestion

DEEPEST = 60
MOST_NODES = 4000
#: Candidates read by one statement, and limit of the octets of bodies in memory together.
BATCH = 200
BATCH_BYTES = 8 * 1024 * 1024
#: Limit of the keys of a program that search bodies.
MOST_BODY_KEYS = 50
#: Time limit of a search (seconds), checked between messages.
MOST_SECONDS = 20.0
#: Threads for searches only; filing renders large messages in the default executor.
THREADS = 2

_TEXTS = {"FROM": "r.from_", "TO": "r.to_", "CC": "r.cc", "BCC": "r.bcc", "SUBJECT": "r.subject"}
_DAYS = {"BEFORE": "<", "ON": "=", "SINCE": ">="}
_IN_BODY = {"BODY": 1, "TEXT": 1, "HEADER": 2}
_JOINED = {"AND": " and ", "OR": " or "}

Node = list[Any]
Test = Callable[[asyncpg.Record, Searched], bool]


@dataclass
class Compiler:
    """Compiler of a program to SQL for keys on columns and Python functions for the others.

    `arguments` are those of the statement from $3 on; each is bound where its SQL is written, so none is unused.
    """

    keywords: list[str]
    arguments: list[Any] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)

    def bind(self, value: Any) -> str:
        self.arguments.append(value)
        return f"${len(self.arguments) + 2}"

    def sql(self, node: Node) -> str:
        """Return SQL that evaluates `node`, which is exact; never null."""
        key, *rest = node
        if key in _JOINED:
            return "(" + _JOINED[key].join(self.sql(part) for part in rest) + ")"
        if key == "NOT":
            return f"(not {self.sql(rest[0])})"
        if key == "ALL":
            return "true"
        if key == "UID":
            ranges = [asyncpg.Range(low, high, upper_inc=True) for low, high in rest[0] if low <= high]
            return f"m.uid <@ {self.bind(ranges)}::int8multirange"  # normalized once, then a binary search per message
        if key == "RECENT":
            return f"m.uid >= {self.bind(rest[0])}::bigint"
        if key == "FLAG":
            return f"m.flags & {self.bind(mask_of(self.keywords, rest, grow=False)[1])}::bigint <> 0"
        if key in _DAYS:
            return f"(m.internaldate at time zone 'UTC')::date {_DAYS[key]} {self.bind(_day(rest[0]))}::date"
        if key in ("LARGER", "SMALLER"):
            return f"m.size {'>' if key == 'LARGER' else '<'} {self.bind(min(rest[0], 2**62))}::bigint"
        if key in _TEXTS:
            return f"position({self.bind(fold(rest[0]).replace(chr(0), ''))}::text in {_TEXTS[key]}) > 0"
        return f"coalesce(r.sent_day {_DAYS[key[4:]]} {self.bind(_day(rest[0]))}::date, false)"

    def bound(self, node: Node) -> str:
        """Return SQL that is true wherever `node` can be, to rule out other candidates."""
        if is_exact(node):
            return self.sql(node)
        if node[0] in _JOINED:
            return "(" + _JOINED[node[0]].join(self.bound(part) for part in node[1:]) + ")"
        return "true"

    def test(self, node: Node) -> Test:
        """Return a function that evaluates `node` on a candidate's row and body; exact subtrees are columns of the row."""
        if is_exact(node):
            name = f"e{len(self.columns)}"
            self.columns.append(f"{self.sql(node)} as {name}")
            return lambda row, message: bool(row[name])
        key, *rest = node
        if key == "NOT":
            inner = self.test(rest[0])
            return lambda row, message: not inner(row, message)
        if key in _JOINED:
            tests = [self.test(part) for part in sorted(rest, key=is_exact, reverse=True)]  # columns before bodies
            combine = all if key == "AND" else any
            return lambda row, message: combine(test(row, message) for test in tests)
        if key == "HEADER":
            return lambda row, message: message.header_contains(rest[0], rest[1])
        if key == "BODY":
            return lambda row, message: message.body_contains(rest[0])
        return lambda row, message: message.text_contains(rest[0])


def _searched(row: asyncpg.Record, body: bytes) -> Searched:
    found = section(row["parts"], "HEADER")
    end = 0 if found is None else found.size
    prefix: bytes = row["prefix"]
    return Searched(body, row["parts"], prefix, prefix + body[:end])


def is_exact(node: Node) -> bool:
    """Return whether columns alone answer `node`."""
    if node[0] in ("AND", "OR", "NOT"):
        return all(is_exact(part) for part in node[1:])
    return node[0] not in _IN_BODY


def checked(program: Any) -> Node:
    """Return `program` if it is valid (mailstore_api.wire.SearchQuestion). Raises BadRequest, and OverLimit for too many
    body keys.
    """
    todo = [(program, 0)]
    nodes = in_body = ranges = 0
    while todo:
        node, depth = todo.pop()
        nodes += 1
        if depth > DEEPEST or nodes > MOST_NODES or not isinstance(node, list) or not node:
            raise BadRequest("not a search program, or one too large")
        key, *rest = node
        if not isinstance(key, str):
            raise BadRequest("not a search program")
        if key in ("AND", "OR", "NOT"):
            if not rest or (key == "NOT" and len(rest) != 1):
                raise BadRequest(f"not a search program: {key}")
            todo += [(part, depth + 1) for part in rest]
        else:
            ranges += len(rest[0]) if key == "UID" and rest and isinstance(rest[0], list) else 0
            if ranges > MOST_RANGES:
                raise BadRequest(f"program of a SearchQuestion: at most {MOST_RANGES} ranges of UIDs")
            if not _good_leaf(key, rest):
                raise BadRequest(f"not a search program: {key}")
        in_body += key in _IN_BODY
        if in_body > MOST_BODY_KEYS:
            raise OverLimit(f"a search may look for at most {MOST_BODY_KEYS} texts in messages")
    found: Node = program
    return found


def _good_leaf(key: str, rest: list[Any]) -> bool:
    if key == "ALL":
        return not rest
    if key == "UID":
        return len(rest) == 1 and isinstance(rest[0], list) and all(map(_good_range, rest[0]))
    if key in ("LARGER", "SMALLER", "RECENT"):
        return len(rest) == 1 and type(rest[0]) is int and 0 <= rest[0] < 2**63
    if key in _IN_BODY or key in _TEXTS or key == "FLAG":
        return len(rest) == _IN_BODY.get(key, 1) and all(isinstance(text, str) for text in rest)
    if key in _DAYS or (key.startswith("SENT") and key[4:] in _DAYS):
        return len(rest) == 1 and isinstance(rest[0], str) and _day(rest[0]) is not None
    return False


def _good_range(each: Any) -> bool:
    return isinstance(each, list) and len(each) == 2 and all(type(n) is int and 0 <= n < 2**63 for n in each)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


_FROM = (
    "from mailstore.message m cross join lateral (select * from mailstore.rendered r "
    "where r.mailbox_id = $1 and r.folder_id = $2 and r.uid = m.uid offset 0) as r "
    "where m.mailbox_id = $1 and m.folder_id = $2"
)


class _Budget:
    """Time limit of one search. `stop` ends it early, when its caller no longer waits."""

    def __init__(self) -> None:
        self._end = time.monotonic() + MOST_SECONDS

    def stop(self) -> None:
        self._end = 0.0

    def left(self) -> float:
        """Return the seconds left. Raises OverLimit if there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise OverLimit("the search takes too long; look for less, or in fewer messages")
        return left


class Searcher:
    """SEARCH in one folder."""

    def __init__(self, pool: asyncpg.Pool, bodies: BodyStore, octets: Octets) -> None:
        self._pool = pool
        self._bodies = bodies
        self._octets = octets
        self._threads = ThreadPoolExecutor(THREADS, "search")

    async def search(self, question: SearchQuestion) -> Found:
        """Return the UIDs that match, ascending. Raises BadRequest for an invalid program, OverLimit and Unavailable."""
        program = checked(question.program)
        where = question.mailbox_id, question.folder_id
        budget = _Budget()
        async with translated():
            keywords = await self._pool.fetchval(sql.folder_keywords, *where)
            if keywords is None:
                return Found("gone")
            compiler = Compiler(keywords)
            try:
                if not is_exact(program):
                    return Found("ok", pack(await self._scan(compiler, program, where, budget)))
                statement = f"select m.uid {_FROM} and {compiler.sql(program)} order by m.uid"
                return Found("ok", pack_uids(await self._fetch(budget, statement, *where, *compiler.arguments)))
            finally:
                budget.stop()

    async def _fetch(self, budget: _Budget, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        async with self._pool.acquire() as connection:
            try:
                return await connection.fetch(statement, *arguments, timeout=budget.left())
            except TimeoutError:
                raise OverLimit("the search takes too long; look for less, or in fewer messages") from None

    async def _scan(self, compiler: Compiler, program: Node, where: tuple[UUID, int], budget: _Budget) -> list[int]:
        bound, test = compiler.bound(program), compiler.test(program)
        extra = "".join(f", {column}" for column in compiler.columns)
        statement = (
            f"select m.uid, m.body_id, m.prefix, m.size, r.parts{extra} {_FROM} and {bound} "
            f"and m.uid > {compiler.bind(0)}::bigint order by m.uid limit {BATCH}"
        )
        found: list[int] = []
        loop = asyncio.get_running_loop()
        while True:
            rows = await self._fetch(budget, statement, *where, *compiler.arguments)
            for group in _groups(rows):
                size = sum(row["size"] for row in group)  # above BATCH_BYTES only for a single message
                async with self._octets.of(where[0], min(size, self._octets.limit)):
                    bodies = await self._bodies.read_many([row["body_id"] for row in group])
                    found += await loop.run_in_executor(self._threads, _matching, test, group, bodies, budget)
                    del bodies
            if len(rows) < BATCH:
                return found
            compiler.arguments[-1] = rows[-1]["uid"]


def _matching(test: Test, group: list[asyncpg.Record], bodies: dict[UUID, bytes], budget: _Budget) -> list[int]:
    found = []
    for row in group:
        budget.left()
        if test(row, _searched(row, bodies.get(row["body_id"], b""))):
            found.append(row["uid"])
    return found


def _groups(rows: list[asyncpg.Record]) -> list[list[asyncpg.Record]]:
    groups: list[list[asyncpg.Record]] = []
    size = BATCH_BYTES
    for row in rows:
        if size + row["size"] > BATCH_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(row)
        size += row["size"]
    return groups
