"""New messages: their rows as the arrays that `insert_messages` takes (messages.sql)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from mailstore.mime import Rendered
from mailstore.mime.address import searched
from mailstore.mime.search import fold

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(seconds: float) -> datetime:
    """Return the time of seconds since the epoch.

    Raises OverflowError or ValueError, which cannot be taken for errors of the database.
    """
    return _EPOCH + timedelta(seconds=seconds)


#: Values in the order of the arrays of `insert_messages`.
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
    *,
    open_end: bool = False,
) -> NewMessage:
    """Return the row of one message with its rendered columns (decision 7). `open_end`: its last line has no CRLF."""
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
        _text(view.subject),
        _text(view.from_),
        _text(view.to),
        _text(view.cc),
        _text(view.bcc),
        open_end,
    )


def addresses_searched(envelope: bytes) -> tuple[str, str, str, str]:
    """Return from_, to_, cc and bcc for a row with this ENVELOPE."""
    from_, to, cc, bcc = map(_text, searched(envelope))
    return from_, to, cc, bcc


def columns(rows: Sequence[NewMessage]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _text(value: str) -> str:
    """`value` as SEARCH compares it; Postgres accepts neither NUL nor lone surrogates."""
    return fold(value).replace("\0", "").encode("utf-8", "replace").decode()
