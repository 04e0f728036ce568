"""SEARCH (RFC 3501 6.4.4): what columns can answer is one SQL expression; text in bodies is looked at afterwards.

A program's subtrees that columns answer exactly are computed in the statement; the rest is scanned in the candidates
that the statement cannot rule out, in bounded batches.
"""

import asyncio
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg

from bodystore import BodyStore
from mailkit.db import translated
from mailkit.errors import BadRequest
from mailstore.mime.search import body_contains, fold, header_contains, text_contains
from mailstore.storage.store import sql
from mailstore_client.wire import FIRST_KEYWORD_BIT, SYSTEM_FLAGS, Found, SearchQuestion

DEEPEST = 60
#: Candidates whose bodies are in memory at once, and their octets.
BATCH = 200
BATCH_BYTES = 8 * 1024 * 1024

_TEXTS = {"FROM": "r.from_", "TO": "r.to_", "CC": "r.cc", "BCC": "r.bcc", "SUBJECT": "r.subject"}
_DAYS = {"BEFORE": "<", "ON": "=", "SINCE": ">="}

Test = Callable[[asyncpg.Record, bytes], bool]


@dataclass
class _Compiler:
    """Turns a program into SQL for what columns know and Python for what they do not."""

    keywords: list[str]
    arguments: list[Any] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)

    def bind(self, value: Any) -> str:
        self.arguments.append(value)
        return f"${len(self.arguments) + 2}"

    def exact(self, node: Any, depth: int = 0) -> str | None:
        """SQL that answers `node` exactly, or None when a body has to be looked at. Raises BadRequest."""
        if depth > DEEPEST or not isinstance(node, list) or not node:
            raise BadRequest("not a search program")
        key, *rest = node
        try:
            if key in ("AND", "OR", "NOT"):
                parts = [self.exact(part, depth + 1) for part in rest]
                if any(part is None for part in parts):
                    return None
                known = [part for part in parts if part]
                return (
                    f"not coalesce({known[0]}, false)" if key == "NOT" else "(" + f" {key.lower()} ".join(known) + ")"
                )
            return self._leaf(key, rest)
        except (ValueError, TypeError, IndexError) as error:
            raise BadRequest(f"not a search program: {key}") from error

    def _leaf(self, key: str, rest: list[Any]) -> str | None:
        if key == "ALL":
            return "true"
        if key == "UID":
            low, high = self.bind([int(a) for a, _ in rest[0]]), self.bind([int(b) for _, b in rest[0]])
            return (
                f"exists (select from unnest({low}::bigint[], {high}::bigint[]) as t(a, b) where m.uid between a and b)"
            )
        if key == "FLAG":
            return f"m.flags & {self.bind(self._bit(rest[0]))}::bigint <> 0"
        if key in _DAYS:
            return (
                f"(m.internaldate at time zone 'UTC')::date {_DAYS[key]} {self.bind(date.fromisoformat(rest[0]))}::date"
            )
        if key.startswith("SENT") and key[4:] in _DAYS:
            return f"r.sent_day {_DAYS[key[4:]]} {self.bind(date.fromisoformat(rest[0]))}::date"
        if key in ("LARGER", "SMALLER"):
            return f"m.size {'>' if key == 'LARGER' else '<'} {self.bind(min(int(rest[0]), 2**62))}::bigint"
        if key in _TEXTS:
            return f"position({self.bind(fold(rest[0]).replace(chr(0), ''))}::text in {_TEXTS[key]}) > 0"
        if key in ("BODY", "TEXT", "HEADER"):
            return None
        raise BadRequest(f"{key} is not a search key")

    def _bit(self, name: str) -> int:
        if name in SYSTEM_FLAGS:
            return SYSTEM_FLAGS[name]
        for place, keyword in enumerate(self.keywords):
            if keyword.lower() == name.lower():
                return 1 << (FIRST_KEYWORD_BIT + place)
        return 0

    def bound(self, node: list[Any]) -> str:
        """SQL that is true wherever `node` may be: rules candidates out."""
        exact = self.exact(node)
        if exact is not None:
            return exact
        if node[0] in ("AND", "OR"):
            return "(" + f" {node[0].lower()} ".join(self.bound(part) for part in node[1:]) + ")"
        return "true"

    def test(self, node: list[Any]) -> Test:
        """Python that answers `node` for a candidate's row and body; exact subtrees are columns of the row."""
        exact = self.exact(node)
        if exact is not None:
            name = f"e{len(self.columns)}"
            self.columns.append(f"coalesce({exact}, false) as {name}")
            return lambda row, body: bool(row[name])
        key, *rest = node
        if key == "NOT":
            inner = self.test(rest[0])
            return lambda row, body: not inner(row, body)
        if key in ("AND", "OR"):
            tests = [self.test(part) for part in rest]
            combine = all if key == "AND" else any
            return lambda row, body: combine(test(row, body) for test in tests)
        if key == "HEADER":
            return lambda row, body: header_contains(row["prefix"] + body, rest[0], rest[1])
        if key == "BODY":
            return lambda row, body: body_contains(body, row["parts"], rest[0])
        return lambda row, body: text_contains(body, row["parts"], rest[0], row["prefix"])


_FROM = (
    "from mailstore.message m join mailstore.rendered r "
    "on r.mailbox_id = m.mailbox_id and r.folder_id = m.folder_id and r.uid = m.uid "
    "where m.mailbox_id = $1 and m.folder_id = $2"
)


class Searcher:
    """Searches one folder."""

    def __init__(self, pool: asyncpg.Pool, bodies: BodyStore) -> None:
        self._pool = pool
        self._bodies = bodies

    async def search(self, question: SearchQuestion) -> Found:
        """The UIDs that match, ascending. Raises BadRequest for a program that is none."""
        async with translated():
            folder = await self._pool.fetchrow(sql.list_one, question.mailbox_id, question.folder_id)
            if folder is None:
                return Found("gone")
            compiler = _Compiler(folder["keywords"])
            condition = compiler.exact(question.program)
            if condition is not None:
                rows = await self._pool.fetch(
                    f"select m.uid {_FROM} and {condition} order by m.uid",
                    question.mailbox_id, question.folder_id, *compiler.arguments,
                )  # fmt: skip
                return Found("ok", array("I", [row["uid"] for row in rows]).tobytes())
            return await self._scan(question, folder["keywords"])

    async def _scan(self, question: SearchQuestion, keywords: list[str]) -> Found:
        compiler = _Compiler(keywords)
        bound = compiler.bound(question.program)
        test = compiler.test(question.program)
        extra = "".join(f", {column}" for column in compiler.columns)
        last = compiler.bind(0)
        statement = (
            f"select m.uid, m.body_id, m.prefix, m.size, r.parts{extra} {_FROM} and {bound} "
            f"and m.uid > {last}::bigint order by m.uid limit {BATCH}"
        )
        found: list[int] = []
        while True:
            rows = await self._pool.fetch(statement, question.mailbox_id, question.folder_id, *compiler.arguments)
            for group in _groups(rows):
                bodies = await self._bodies.read_many([row["body_id"] for row in group])
                found += await asyncio.to_thread(_matching, test, group, bodies)
            if len(rows) < BATCH:
                return Found("ok", array("I", found).tobytes())
            compiler.arguments[-1] = rows[-1]["uid"]


def _matching(test: Test, group: list[asyncpg.Record], bodies: dict[UUID, bytes]) -> list[int]:
    return [row["uid"] for row in group if test(row, bodies.get(row["body_id"], b""))]


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
