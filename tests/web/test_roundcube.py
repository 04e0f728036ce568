"""Roundcube as its users have it: list, sort, search, move, delete, quota, write (`make interop-web`)."""

import email
import email.policy
import re

import pytest

from tests.support.clients import imap, inbox
from tests.support.run import wait_for

from .browser import Browser
from .conftest import MESSAGES, Desk, subject

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("picture")]
_SUBJECTS = (
    "Array.from(document.querySelectorAll('#messagelist tbody tr span.subject a')).map(a => a.textContent.trim())"
)
_COUNT = "document.querySelector('.pagenav-text, #rcmcountdisplay').textContent"
_SHOWN = "document.querySelector('#messagecontframe').contentDocument.querySelector('h2.subject')?.textContent"
_ENTER = "\ue007"


def show(desk: Desk, folder: str = "INBOX") -> Browser:
    """Open a folder's page and wait for its list."""
    desk.browser.open(f"{desk.roundcube.url}?_task=mail&_mbox={folder}&_page=1")
    desk.browser.wait(f"{_COUNT}.includes(' of ')", "the list is there", 60)
    return desk.browser


def sort(browser: Browser, column: str, order: str) -> None:
    """Choose an order in the dialog of the list's options, as a user does."""
    browser.click("#toolbar-list-menu a.options")
    browser.wait("document.querySelector('.ui-dialog select[name=sort_col]')", "the dialog is open")
    for name, value in (("sort_col", column), ("sort_ord", order)):
        browser.run(f"document.querySelector('.ui-dialog select[name={name}]').value = arguments[0]", value)
    browser.click(".ui-dialog .ui-dialog-buttonpane button.save")


def first(browser: Browser, place: int) -> None:
    """Wait until the list begins with the message at `place`."""
    browser.wait(f"({_SUBJECTS})[0] === {subject(place)!r}", f"sorted; first {place}", 60)


def select(browser: Browser, row: int) -> str:
    """Click a row of the list, wait until the message is shown, and return its subject."""
    browser.click(f"#messagelist tbody tr:nth-child({row}) td.subject")
    chosen = str(browser.run(f"return {_SUBJECTS}")[row - 1])
    browser.wait(f"({_SHOWN} || '').includes({chosen!r}) && rcmail.busy === false && rcmail.commands.delete", "shown")
    return chosen


def folder(desk: Desk, name: str, *keys: str) -> int:
    """Number of messages in a folder that match search keys."""
    client = imap(desk.run, desk.user, select=name)
    try:
        return len(client.search(None, *(keys or ("ALL",)))[1][0].split())
    finally:
        client.logout()


def test_list_in_pages(desk: Desk) -> None:
    browser = show(desk)
    assert f"Messages 1 to 50 of {MESSAGES}" in browser.run(f"return {_COUNT}")
    assert len(browser.run(f"return {_SUBJECTS}")) == 50
    browser.click("a.nextpage")
    browser.wait(f"{_COUNT}.includes('Messages 51 to 100 of {MESSAGES}')", "the second page")


@pytest.mark.parametrize("column", ["date", "from"])
def test_sorted(desk: Desk, column: str) -> None:
    browser = show(desk)
    before = len(desk.roundcube.commands())
    sort(browser, column, "DESC")
    first(browser, MESSAGES - 1)
    sort(browser, column, "ASC")
    first(browser, 0)
    assert browser.run(f"return {_SUBJECTS}") == [subject(at) for at in range(50)]
    commands = desk.roundcube.commands()[before:]
    whole = [one for one in commands if re.match(rf"(UID )?FETCH 1:(\*|{MESSAGES}) ", one)]
    assert any(one.startswith("UID SORT (") for one in commands), commands
    assert whole == []


def test_search(desk: Desk) -> None:
    browser = show(desk)
    browser.type("#mailsearchform", f"needle{_ENTER}")
    found = MESSAGES // 100
    browser.wait(f"/Messages 1 to {min(found, 50)} of {found}\\b/.test({_COUNT})", "the result", 60)
    assert all("needle" in one for one in browser.run(f"return {_SUBJECTS}"))
    assert any(re.match(r"UID (SEARCH|SORT) .*needle", one) for one in desk.roundcube.commands())


def test_move_and_delete(desk: Desk) -> None:
    browser = show(desk)
    moved = select(browser, 1)
    browser.run("rcmail.command('move', 'Archive')")
    wait_for(lambda: folder(desk, "Archive", "SUBJECT", f'"{moved}"') == 1, why="moved")
    browser = show(desk)
    deleted = select(browser, 2)
    browser.click("#layout-content a.delete")
    wait_for(lambda: folder(desk, "Trash", "SUBJECT", f'"{deleted}"') == 1, why="deleted: moved to Trash")
    assert folder(desk, "INBOX") == MESSAGES - 2
    assert any(one.startswith("UID MOVE") for one in desk.roundcube.commands())


def test_quota_bar(desk: Desk) -> None:
    browser = show(desk)
    quota = browser.wait("rcmail.env.quota_content || rcmail.gui_objects.quotadisplay.title", "the quota is shown")
    assert re.search(r"/ 1(\.0)? GB|\d+%", str(quota)), quota
    assert any(one.startswith("GETQUOTAROOT") for one in desk.roundcube.commands())


def test_compose_and_send(desk: Desk) -> None:
    to = desk.run.mailbox(desk.user.domain, "friend")
    browser = desk.browser
    browser.open(f"{desk.roundcube.url}?_task=mail&_action=compose")
    browser.wait("document.querySelector('#composebody')", "the editor")
    browser.type(".recipient-input input", f"{to.address},")
    browser.type("#compose-subject", "Grüße")
    browser.type("#composebody", "written in a browser")
    browser.click("#layout-content a.send, #compose-content button.send, .formbuttons button.send")
    got = wait_for(lambda: inbox(desk.run, to), 60)[0]
    read = email.message_from_bytes(got, policy=email.policy.default)
    assert (read["Subject"], read.get_content().strip()) == ("Grüße", "written in a browser"), got
    wait_for(lambda: folder(desk, "Sent") == 1, why="a copy is in Sent")
    assert desk.roundcube.errors() == ""
