"""The account that a login name stands for."""

from mailkit.mail.address import BadAddress, parse_login
from mailkit.mail.saslprep import saslprep

#: Longest account name in a counter's key (characters); a longer login name is cut.
LONGEST_KEY = 320


def account_name(login: str) -> str:
    """Return the mailbox's address for a login name (P1, prepared by RFC 4013); what is no address is returned in lower case."""
    try:
        name = str(parse_login(saslprep(login) if len(login) <= LONGEST_KEY else login))
    except (BadAddress, ValueError):
        name = login.replace("\x00", "").strip().lower()
    return name[:LONGEST_KEY]
