"""SEARCH in SQL: a program's keys on columns (RFC 3501 6.4.4), bound as arguments.

A statement is built for each program. Its values are arguments; its text has only names and numbers from here.
"""

import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from mailkit.errors import OverLimit
from mailkit.postgres.pool import Queries, translated
from mailkit.postgres.rows import Row, column
from mailstore.mime.search import fold
from mailstore.mime.signature import asked
from mailstore.model.keywords import mask_of
from mailstore.model.program import IN_BODY, JOINED, WITHIN, Node, day, is_exact
from mailstore.storage.fetch import EMAIL_ID, StoredMessage

queries = Queries("mailstore.storage", "search.sql")

TOO_LONG = "the search takes too long; look for less, or in fewer messages"

_TEXTS = {"FROM": "r.from_", "TO": "r.to_", "CC": "r.cc", "BCC": "r.bcc", "SUBJECT": "r.subject"}
_DAYS = {"BEFORE": "<", "ON": "=", "SINCE": ">="}


def folded_before_0007(text: str) -> str:
    """Return `text` as releases before 0007 wrote it into the columns that SEARCH compares."""
    return unicodedata.normalize("NFC", text.casefold())


SIGNATURE = """
  left join lateral (
       select * from mailstore.text_signature s
        where s.mailbox_id = $1 and s.folder_id = $2 and s.uid = m.uid offset 0) as s on true"""

Left = Callable[[], float]
AnyRow = TypeVar("AnyRow", bound=Row)


class Candidate(StoredMessage):
    """A message that may match, with the values of keys on columns by the names that `Keys.value` gave."""

    unsigned: bool = column("unsigned")
    """Whether it is not in the text index, though it could be."""


class Keys:
    """The SQL of one program.

    Its arguments are those of the statement from $3 on; each is bound where its SQL is written, so none is unused.
    """

    def __init__(self, keywords: list[str], now: datetime, *, signed: bool = False) -> None:
        self._keywords = keywords
        self._now = now
        self.signed = signed
        """Whether the text index rules messages out (decision 78)."""
        self.arguments: list[Any] = []
        self.tables: set[str] = set()
        """Tables with the columns that were bound, except the UIDs, which both have."""
        self.values: list[str] = []

    def exact(self, node: Node) -> str:
        """Return SQL that evaluates `node`, which is exact; never null."""
        key, *rest = node
        if key in JOINED:
            return "(" + f" {key.lower()} ".join(self.exact(part) for part in rest) + ")"
        if key == "NOT":
            return f"(not {self.exact(rest[0])})"
        if key == "ALL":
            return "true"
        if key == "UID":
            ranges = [asyncpg.Range(low, high, upper_inc=True) for low, high in rest[0] if low <= high]
            return f"m.uid <@ {self.bind(ranges)}::int8multirange"  # normalized once, then a binary search per message
        if key == "RECENT":
            return f"m.uid >= {self.bind(rest[0])}::bigint"
        if key == "MODSEQ":
            self.tables.add("message")
            return f"m.modseq >= {self.bind(rest[0])}::bigint"
        if key == "FLAG":
            self.tables.add("message")
            return f"m.flags & {self.bind(mask_of(self._keywords, rest, grow=False)[1])}::bigint <> 0"
        if key in _DAYS:
            self.tables.add("message")
            return self._within("m.internaldate", key, rest[0])
        if key.removeprefix("SAVED") in _DAYS:
            self.tables.add("message")
            return self._within("coalesce(m.saved_at, m.internaldate)", key.removeprefix("SAVED"), rest[0])
        if key == "EMAILID":
            self.tables.add("message")
            return f"('M' || {EMAIL_ID}) = {self.bind(rest[0].replace(chr(0), ''))}::text"
        if key in WITHIN:
            self.tables.add("message")
            return self._ago(key, rest[0])
        if key in ("LARGER", "SMALLER"):
            self.tables.add("message")
            return f"m.size {'>' if key == 'LARGER' else '<'} {self.bind(min(rest[0], 2**62))}::bigint"
        self.tables.add("rendered")
        if key in _TEXTS:
            return self._contains(_TEXTS[key], rest[0].replace("\0", ""))
        return f"coalesce(r.sent_day {_DAYS[key[4:]]} {self.bind(day(rest[0]))}::date, false)"

    def among(self, uids: list[int]) -> str:
        """Return SQL that is true for the messages with these UIDs."""
        return f"m.uid = any({self.bind(uids)}::bigint[])"

    def _within(self, column: str, key: str, text: str) -> str:
        """A time within a day, before it or not: compared as it is stored, a hundred thousand times."""
        on = day(text)
        assert on is not None
        start = datetime.combine(on, time.min, UTC)
        if key == "BEFORE":
            return f"{column} < {self.bind(start)}::timestamptz"
        since = f"{column} >= {self.bind(start)}::timestamptz"
        if key == "SINCE":
            return since
        return f"({since} and {column} <= {self.bind(datetime.combine(on, time.max, UTC))}::timestamptz)"

    def _ago(self, key: str, seconds: int) -> str:
        """INTERNALDATE in whole seconds, as it is shown, up to a number of seconds before now, or from then on (RFC 5032 2)."""
        then = self._now.replace(microsecond=0) - timedelta(seconds=seconds)
        if key == "YOUNGER":
            return f"m.internaldate >= {self.bind(then)}::timestamptz"
        return f"m.internaldate < {self.bind(then + timedelta(seconds=1))}::timestamptz"

    def bound(self, node: Node) -> str:
        """Return SQL that is true wherever `node` can be, to rule out other candidates."""
        if is_exact(node):
            return self.exact(node)
        if node[0] in JOINED:
            return "(" + f" {node[0].lower()} ".join(self.bound(part) for part in node[1:]) + ")"
        if self.signed and node[0] in IN_BODY and (hashes := asked(node[-1])):
            bits = [f"get_bit(s.signature, {self.bind(each)}::int % (8 * length(s.signature))) = 1" for each in hashes]
            return f"(s.signature is null or {' and '.join(bits)})"
        return "true"

    def value(self, node: Node) -> str:
        """Have each candidate carry the value of `node`, which is exact; return the name of the column."""
        name = f"e{len(self.values)}"
        self.values.append(f", {self.exact(node)} as {name}")
        return name

    def _contains(self, text: str, key: str) -> str:
        """Return SQL that looks for `key` in a text column, also of a row that is not filled in yet (decision 0059)."""
        found = f"position({self.bind(fold(key))}::text in {text}) > 0"
        if key.isascii():
            return found
        before = f"position({self.bind(folded_before_0007(key))}::text in {text}) > 0"
        return f"(case when r.message_id is null then {before} else {found} end)"

    def bind(self, value: Any) -> str:
        """Add an argument; return its name in the statement."""
        self.arguments.append(value)
        return f"${len(self.arguments) + 2}"


class SearchRows:
    """The messages of folders. `left` returns the seconds that are left for a statement, which raises OverLimit after it."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def keywords(self, mailbox_id: UUID, folder_id: int) -> list[str] | None:
        """Return the keywords of a folder; None if it does not exist."""
        async with translated():
            found: list[str] | None = await self._pool.fetchval(queries.folder_keywords, mailbox_id, folder_id)
        return found

    async def matching(self, mailbox_id: UUID, folder_id: int, keys: Keys, program: Node, left: Left) -> list[int]:
        """Return the UIDs that match an exact program, ascending. Raises OverLimit."""
        condition = keys.exact(program)
        alone = {"message": queries.matching_in_message, "rendered": queries.matching_in_rendered}
        (table, *more) = keys.tables or ("message",)
        statement = queries.matching if more else alone[table]
        rows = await self._fetch(
            statement.replace("$condition", condition), left, mailbox_id, folder_id, *keys.arguments
        )
        return rows[0]["uids"] or []

    async def greatest_modseq(self, mailbox_id: UUID, folder_id: int, uids: list[int], left: Left) -> int:
        """Return the greatest MODSEQ of these messages; 0 if there are none. Raises OverLimit."""
        rows = await self._fetch(queries.greatest_modseq, left, mailbox_id, folder_id, uids)
        return rows[0]["modseq"] or 0

    async def candidates(
        self, mailbox_id: UUID, folder_id: int, keys: Keys, condition: str, after: int, most: int, left: Left
    ) -> list[Candidate]:
        """Return the first messages above the UID `after` that fulfil the condition. Raises OverLimit."""
        statement = (
            queries.candidates.replace("$values", "".join(keys.values))
            .replace("$unsigned", "s.uid is null" if keys.signed else "false")
            .replace("$signature", SIGNATURE if keys.signed else "")
            .replace("$condition", condition)
            .replace("$after", f"${len(keys.arguments) + 3}")
            .replace("$limit", str(most))
        )
        return await self._fetch(statement, left, mailbox_id, folder_id, *keys.arguments, after)

    async def _fetch(self, statement: str, left: Left, *arguments: Any) -> list[Candidate]:
        return await fetch_in_time(self._pool, statement, left, *arguments, record_class=Candidate)


async def fetch_in_time(
    pool: asyncpg.Pool, statement: str, left: Left, *arguments: Any, record_class: type[AnyRow]
) -> list[AnyRow]:
    """Return the rows of a statement that may take the seconds that are `left`. Raises OverLimit."""
    async with translated(), pool.acquire() as connection:
        try:
            return await connection.fetch(statement, *arguments, timeout=left(), record_class=record_class)
        except TimeoutError:
            raise OverLimit(TOO_LONG) from None
