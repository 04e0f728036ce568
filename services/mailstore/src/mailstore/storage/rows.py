"""Rows of new messages, as the arrays that `insert_messages` takes."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from mailstore.mime import Rendered
from mailstore.mime.address import searched
from mailstore.mime.search import fold

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(seconds: float) -> datetime:
    """Return the time of seconds since the epoch. Raises OverflowError or ValueError, which cannot be taken for errors of
    the database."""
    return _EPOCH + timedelta(seconds=seconds)


def row(
    mailbox_id: UUID, folder_id: int, uid: int, body_id: UUID, prefix: bytes, size: int, flags: int, modseq: int,
    internaldate: datetime, view: Rendered, *, open_end: bool = False,
) -> tuple[object, ...]:  # fmt: skip
    """Return the row of one message, in the order of the arrays. `open_end`: its last line has no CRLF."""
    return (
        mailbox_id, folder_id, uid, body_id, prefix, size, flags, modseq, internaldate,
        view.envelope, view.body, view.bodystructure, view.parts, view.sent_day,
        _text(view.subject), _text(view.from_), _text(view.to), _text(view.cc), _text(view.bcc), open_end,
    )  # fmt: skip


def addresses_searched(envelope: bytes) -> tuple[str, str, str, str]:
    """Return from_, to_, cc and bcc for a row with this ENVELOPE."""
    from_, to, cc, bcc = map(_text, searched(envelope))
    return from_, to, cc, bcc


def columns(rows: list[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _text(value: str) -> str:
    """`value` as SEARCH compares it; Postgres accepts neither NUL nor lone surrogates."""
    return fold(value).replace("\0", "").encode("utf-8", "replace").decode()
