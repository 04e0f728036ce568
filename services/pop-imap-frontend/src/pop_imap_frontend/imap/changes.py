"""Changes of the selected folder, sent as untagged responses. The feed is only a hint; MODSEQ decides (decision 8)."""

from typing import TYPE_CHECKING

from mailkit.errors import PostriderError
from mailkit.logs import get_logger
from mailkit.report import report
from mailstore_client.wire import ChangesQuestion
from pop_imap_frontend.imap.reader import Disconnect

if TYPE_CHECKING:
    from pop_imap_frontend.imap.session import ImapSession

log = get_logger()


async def tell(session: "ImapSession") -> None:
    """Ask mailstore for changes and send them. Raises Disconnect if the folder was deleted or changed too much."""
    if not await _follow(session):
        raise Disconnect("the selected mailbox is no longer there; connect again")


async def tell_after_command(session: "ImapSession") -> str | None:
    """Send changes before the tagged response of a completed command; return why the session must end, None if it need not."""
    try:
        await tell(session)
    except Disconnect as error:
        return str(error)
    except PostriderError as error:  # the next command asks again
        report(error, "changes")
    return None


async def forget_if_gone(session: "ImapSession") -> None:
    """Leave the selected state after a DELETE if the selected folder itself is gone, whatever its name was."""
    if session.selected is None:
        return
    try:
        if not await _follow(session):
            session.select(None)
    except PostriderError as error:
        report(error, "changes")


async def _follow(session: "ImapSession") -> bool:
    """Bring the view up to date and send the changes; False if the folder is gone."""
    view = session.view
    session.changed.clear()
    try:
        changes = await session.context.mailstore.changes(
            ChangesQuestion(session.mailbox_id, view.folder_id, view.modseq, take_recent=not view.read_only)
        )
    except PostriderError:
        session.changed.set()
        raise
    if changes.status == "gone":
        return False
    if changes.status != "ok":
        raise Disconnect("the selected mailbox changed too much; connect again")
    session.stream.write(b"".join(view.apply(changes)))
    return True
