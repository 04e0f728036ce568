"""The account that a login name stands for."""

import time
from collections.abc import Sequence

from auth.storage.directory import Directory
from mailkit.mail.address import BadAddress, parse_login
from mailkit.mail.saslprep import saslprep

#: Longest account name in a counter's key (characters); a longer login name is cut.
LONGEST_KEY = 320
#: How long a domain is known to be an alias or not (seconds): a change is in force within 5 s (docs/contract.md).
KNOWN_SECONDS = 2.0
MOST_KNOWN = 20_000


class LoginNames:
    """The accounts of login names, also of those in alias domains (docs/decisions/0108)."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._known: dict[str, tuple[float, str | None]] = {}

    async def accounts(self, logins: Sequence[str]) -> list[str]:
        """Return the account of each name: with at most one statement for the domains that are not known. Raises Unavailable."""
        names = [account_name(login) for login in logins]
        now = time.monotonic()
        domains = {domain for name in names if (domain := name.rpartition("@")[2])}
        if asked := [domain for domain in domains if self._known.get(domain, (0.0, None))[0] < now]:
            found = await self._directory.aliases(asked)
            if len(self._known) > MOST_KNOWN:
                self._known.clear()
            self._known |= {domain: (now + KNOWN_SECONDS, found.get(domain)) for domain in asked}
        return [self._account(name) for name in names]

    def _account(self, name: str) -> str:
        local, at, domain = name.rpartition("@")
        _, real = self._known.get(domain, (0.0, None))
        return f"{local}{at}{real}"[:LONGEST_KEY] if at and real else name


def account_name(login: str) -> str:
    """Return the mailbox's address for a login name (P1, prepared by RFC 4013); what is no address is returned in lower case."""
    try:
        name = str(parse_login(saslprep(login) if len(login) <= LONGEST_KEY else login))
    except (BadAddress, ValueError):
        name = login.replace("\x00", "").strip().lower()
    return name[:LONGEST_KEY]
