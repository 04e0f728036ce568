"""The account that a login name stands for."""

from collections.abc import Mapping, Sequence

from auth.limits import PlanLimits
from auth.login.domains import KnownDomain, KnownDomains
from mailkit.mail.address import BadAddress, parse_login
from mailkit.mail.saslprep import saslprep

#: Longest account name in a counter's key (characters); a longer login name is cut.
LONGEST_KEY = 320


class LoginNames:
    """The accounts of login names, also of those in alias domains (docs/decisions/0108)."""

    def __init__(self, domains: KnownDomains) -> None:
        self._domains = domains

    async def accounts(self, logins: Sequence[str]) -> list[str]:
        """Return the account of each name: with at most one statement for the domains that are not known. Raises Unavailable."""
        names = [account_name(login) for login in logins]
        known = await self._domains.of(domain for name in names if (domain := domain_of(name)))
        return [_account(name, known) for name in names]

    async def limits(self, accounts: Sequence[str]) -> list[PlanLimits]:
        """Return what the plan of each account limits. Raises Unavailable."""
        known = await self._domains.of(map(domain_of, accounts))
        return [known[domain_of(account)].limits for account in accounts]


def domain_of(name: str) -> str:
    """Return what is after the last `@` of a name, or all of it."""
    return name.rpartition("@")[2]


def _account(name: str, known: Mapping[str, KnownDomain]) -> str:
    local, at, domain = name.rpartition("@")
    found = known.get(domain)
    return f"{local}{at}{found.alias_of}"[:LONGEST_KEY] if at and found and found.alias_of else name


def account_name(login: str) -> str:
    """Return the mailbox's address for a login name (P1, prepared by RFC 4013); what is no address is returned in lower case."""
    try:
        name = str(parse_login(saslprep(login) if len(login) <= LONGEST_KEY else login))
    except (BadAddress, ValueError):
        name = login.replace("\x00", "").strip().lower()
    return name[:LONGEST_KEY]
