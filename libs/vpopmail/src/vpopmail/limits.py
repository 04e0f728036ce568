"""`.qmailadmin-limits` of a domain and `etc/vlimits.default` of a host, as vpopmail's vlimits.c reads them."""

import re

from vpopmail.tree import Skipped, TreeFolder
from vpopmail.vpasswd import Flags

#: Numbers; -1: no limit. `quota` in MB and `maxmsgcount` are of the domain, the default ones of its accounts.
NUMBERS = (
    "maxpopaccounts",
    "maxaliases",
    "maxforwards",
    "maxautoresponders",
    "maxmailinglists",
    "quota",
    "maxmsgcount",
    "default_quota",
    "default_maxmsgcount",
)
#: Names that stand alone, and the bit that they set for all accounts without Flags.OVERRIDE.
SWITCHES = {
    "disable_pop": Flags.NO_POP,
    "disable_imap": Flags.NO_IMAP,
    "disable_dialup": Flags.NO_DIALUP,
    "disable_password_changing": Flags.NO_PASSWORD_CHANGE,
    "disable_webmail": Flags.NO_WEBMAIL,
    "disable_external_relay": Flags.NO_RELAY,
    "disable_smtp": Flags.NO_SMTP,
    "disable_spamassassin": Flags.NO_SPAMASSASSIN,
    "delete_spam": Flags.DELETE_SPAM,
    "disable_maildrop": Flags.NO_MAILDROP,
}
#: What a domain's administrator may not do: bits 1 create, 2 modify, 4 delete.
PERMISSIONS = (
    "perm_account",
    "perm_alias",
    "perm_forward",
    "perm_autoresponder",
    "perm_maillist",
    "perm_quota",
    "perm_defaultquota",
)
_ALL = 7
_NUMBER = re.compile(r"-?[0-9]{1,15}")


def read_limits(folder: TreeFolder, name: str, skipped: Skipped) -> dict[str, int] | None:
    """Return the fields that the file sets, 1 for a switch; None if it does not exist. Raises Unreadable.

    Only three bits of `perm_quota` are kept: vpopmail writes permissions of mailing lists above them.
    """
    if not folder.has(name):
        return None
    found: dict[str, int] = {}
    for number, line in folder.lines(name):
        where = f"{folder.below(name)}:{number}"
        words = re.split(r"[ :\t\r]+", (line or b"#").decode("ascii", "replace").strip(" :\t\r"))
        if line is None:
            skipped(where, "is too long a line")
        elif words[0] in SWITCHES:
            found[words[0]] = 1
        elif words[0] in NUMBERS or words[0] in PERMISSIONS:
            if len(words) < 2 or not _NUMBER.fullmatch(words[1]):
                skipped(where, "has no number")
            else:
                value = int(words[1])
                found[words[0]] = value & _ALL if words[0] in PERMISSIONS else value
        elif words[0] and not words[0].startswith("#"):
            skipped(where, "is a limit that vpopmail does not know")
    return found


def flags_in_force(flags: Flags, limits: dict[str, int]) -> Flags:
    """Return the bits of an account together with those that its domain's limits set (vlimits_setflags)."""
    if flags & Flags.OVERRIDE:
        return flags
    for name, bit in SWITCHES.items():
        if limits.get(name):
            flags |= bit
    return flags
