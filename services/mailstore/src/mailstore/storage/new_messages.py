"""New messages: their rows as `insert_messages` takes them (messages.sql)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from mailstore.mime import Rendered
from mailstore.mime.compared import Compared
from mailstore.mime.search import fold
from mailstore.mime.words import MAX_TEXT

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(seconds: float) -> datetime:
    """Return the time of seconds since the epoch.

    Raises OverflowError or ValueError, which cannot be taken for errors of the database.
    """
    return _EPOCH + timedelta(seconds=seconds)


#: A row of the type mailstore.new_message.
NewMessage = tuple[object, ...]


def new_message(
    mailbox_id: UUID,
    folder_id: int,
    uid: int,
    body_id: UUID,
    prefix: bytes,
    size: int,
    flags: int,
    modseq: int,
    internaldate: datetime,
    view: Rendered,
    now: datetime,
    *,
    open_end: bool = False,
) -> NewMessage:
    """Return the row of one message with its rendered columns (decision 7).

    `now` is its save date (RFC 8514). `open_end`: its last line has no CRLF.
    """
    return (
        mailbox_id,
        folder_id,
        uid,
        body_id,
        prefix,
        size,
        flags,
        modseq,
        internaldate,
        view.envelope,
        view.body,
        view.bodystructure,
        view.parts,
        view.sent_day,
        *search_texts(view.compared),
        open_end,
        now,
        *sort_columns(view.compared),
    )


def search_texts(values: Compared) -> tuple[str, ...]:
    """Return subject, from_, to_, cc and bcc of a row."""
    return tuple(map(_text, (values.subject, values.from_, values.to, values.cc, values.bcc)))


def sort_columns(values: Compared) -> tuple[object, ...]:
    """Return sent_at, and message_id to to_display, of a row."""
    return values.sent_at, *msgspec.structs.astuple(values.keys)


def columns(rows: Sequence[NewMessage]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _text(value: str) -> str:
    """`value` as SEARCH compares it, cut at the length of the longest field; Postgres accepts neither NUL nor lone surrogates."""
    if not value:
        return ""
    text = fold(value)[: 4 * MAX_TEXT].replace("\0", "")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
