"""The THREAD response (RFC 5256 4)."""

from collections.abc import Iterator, Sequence

from pop_imap_frontend.imap.folder.view import FolderView

#: Nodes written between two turns of the event loop.
BLOCK = 2000


def threads(uids: Sequence[int], depths: Sequence[int], view: FolderView, *, by_uid: bool) -> Iterator[bytes]:
    """Yield the response in parts, for trees in pre-order (mailstore_api.wire.Threads).

    A child follows its parent after a space; of several, each is in brackets.
    """
    yield b"* THREAD"
    children = _children(depths)
    brackets: list[int] = []
    """For each node from the root down to the last one: 1 if it opened a bracket."""
    text = [b" "] if depths else []
    for at, (uid, depth) in enumerate(zip(uids, depths, strict=True)):
        first = depth == len(brackets)
        if not first:
            text.append(b")" * sum(brackets[depth:]))
            del brackets[depth:]
        number = b"%d" % _number(uid, view, by_uid=by_uid) if uid else b""
        alone = depth > 0 and children[at] == 1
        opens = b"" if alone else b"("
        space = b" " if depth > 0 and first and uids[at - 1] else b""
        text.append(space + opens + number)
        brackets.append(0 if alone else 1)
        if at % BLOCK == BLOCK - 1:
            yield b"".join(text)
            text = []
    yield b"".join([*text, b")" * sum(brackets), b"\r\n"])


def _number(uid: int, view: FolderView, *, by_uid: bool) -> int:
    return uid if by_uid else view.messages.before(uid) + 1


def _children(depths: Sequence[int]) -> list[int]:
    """How many children the parent of each node has."""
    counts = [0] * len(depths)
    parents = [0] * len(depths)
    path: list[int] = []
    for at, depth in enumerate(depths):
        del path[depth:]
        if path:
            parents[at] = path[-1]
            counts[path[-1]] += 1
        path.append(at)
    return [counts[parent] for parent in parents]
