"""UIDLs by which POP3 clients know the messages of INBOX: of Courier, Dovecot and qmail-pop3d, in that order."""

import re
from collections.abc import Callable

from vpopmail.tree import Skipped, TreeFolder, Unreadable
from vpopmail.uidlists import MOST_MESSAGES, UidTable, base_name

#: Dovecot's default of the setting pop3_uidl_format.
DOVECOT_FORMAT = "%08Xu%08Xv"
LONGEST = 250

_ALLOWED = re.compile(r"[!-~]{1,250}")
_VARIABLE = re.compile(r"%(0?[0-9]{0,2})(X?)([uvfg%])")


def check_format(text: str) -> bool:
    """Return whether a pop3_uidl_format has only variables that can be known here: %u %v %f %g, with widths and X."""
    return "%" not in _VARIABLE.sub("", text)


def uidls(
    maildir: TreeFolder, table: UidTable, skipped: Skipped, dovecot_format: str = DOVECOT_FORMAT
) -> Callable[[str], str]:
    """Return a function from the base name of a file to its UIDL, empty if no POP3 client was told one.

    Where there is `courierpop3dsizelist` it says them, else `dovecot-uidlist`, else the file's name is the UIDL (qmail-pop3d).
    """
    known: Callable[[str], str]
    courier = _courier(maildir, skipped)
    if courier is not None:
        known = lambda base: courier.get(base, "")  # noqa: E731
    elif table.is_dovecot:
        known = lambda base: _dovecot(base, table, dovecot_format)  # noqa: E731
    else:
        known = lambda base: base  # noqa: E731
    seen: set[str] = set()

    def once(base: str) -> str:
        uidl = known(base)
        if not _ALLOWED.fullmatch(uidl) or uidl in seen:
            return ""
        seen.add(uidl)
        return uidl

    return once


def _courier(maildir: TreeFolder, skipped: Skipped) -> dict[str, str] | None:
    """Read lines like `1300000000.M1P1.host,S=123 123 7:1300000000` below a header `/2 …` or `/3 …`."""
    name = "courierpop3dsizelist"
    if not maildir.has(name):
        return None
    found: dict[str, str] = {}
    try:
        for number, line in maildir.lines(name):
            if number == 1 and line is not None and line.startswith(b"/"):
                continue
            words = (line or b"").decode("utf-8", "surrogateescape").split(" ")
            uid, colon, uidvalidity = words[-1].partition(":")
            if len(words) < 3 or not colon or not (uid + uidvalidity).isdecimal():
                skipped(f"{maildir.below(name)}:{number}", "is cut, or no line of courierpop3dsizelist")
            elif len(found) < MOST_MESSAGES:
                found[base_name(words[0])] = f"UID{uid}" if int(uidvalidity) == 0 else f"UID{uid}-{uidvalidity}"
    except Unreadable as error:
        skipped(maildir.below(name), str(error))
        return None
    return found


def _dovecot(base: str, table: UidTable, text: str) -> str:
    if base in table.uidls:
        return table.uidls[base]
    if base not in table.uids:
        return ""
    numbers = {"u": table.uids[base], "v": table.uidvalidity}
    texts = {"f": base, "g": base.partition(",")[0], "%": "%"}

    def value(match: re.Match[str]) -> str:
        width, is_hex, variable = match[1], match[2], match[3]
        return texts.get(variable) or format(numbers[variable], width + ("x" if is_hex else ""))

    return _VARIABLE.sub(value, text)
