"""IMAP4rev1 (RFC 3501) over mailstore: grammar -> commands -> session -> selected folder -> responses."""

from pop_imap_frontend.imap import account, append, folders, idle, listing, messages  # noqa: F401 - they register the commands
from pop_imap_frontend.imap.context import ImapContext
from pop_imap_frontend.imap.session import ImapSession

__all__ = ["ImapContext", "ImapSession"]
