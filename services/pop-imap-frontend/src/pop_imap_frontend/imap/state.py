"""States of a connection (RFC 3501 3), and what CAPABILITY announces in each."""

from enum import Flag, auto

from pop_imap_frontend.imap.context import ImapContext


class ImapState(Flag):
    """State of a connection."""

    NOT_AUTHENTICATED = auto()
    AUTHENTICATED = auto()
    SELECTED = auto()
    LOGOUT = auto()


def capabilities(context: ImapContext, state: ImapState, *, tls: bool, compressed: bool) -> bytes:
    """Return the capabilities of a connection in `state`, with or without TLS and compression."""
    names = ["IMAP4rev1", "IMAP4rev2", "LITERAL+", "SASL-IR", "ID", "IDLE"]
    if state is not ImapState.NOT_AUTHENTICATED:
        names += [
            "ENABLE",
            "CONDSTORE",
            "QRESYNC",
            "NAMESPACE",
            "CHILDREN",
            "UIDPLUS",
            "MULTIAPPEND",
            "REPLACE",
            "BINARY",
            "UTF8=ACCEPT",
            "UNSELECT",
            "SPECIAL-USE",
            "CREATE-SPECIAL-USE",
            "LIST-EXTENDED",
            "LIST-STATUS",
            "STATUS=SIZE",
            "MOVE",
            "ESEARCH",
            "SEARCHRES",
            "WITHIN",
            "PARTIAL",
            "SORT",
            "SORT=DISPLAY",
            "ESORT",
            "THREAD=ORDEREDSUBJECT",
            "THREAD=REFERENCES",
            "OBJECTID",
            "SAVEDATE",
            "PREVIEW",
            "METADATA",
            "INPROGRESS",
            "NOTIFY",
            "QUOTA",
            "QUOTA=RES-STORAGE",
            "QUOTA=RES-MESSAGE",
            f"APPENDLIMIT={context.append_limit}",
        ]
        if context.unauthenticate:
            names.append("UNAUTHENTICATE")
        if not compressed:
            names.append("COMPRESS=DEFLATE")
    else:
        if not tls and not compressed and context.tls is not None:
            names.append("STARTTLS")
        if tls or context.plaintext_logins:
            names += [f"AUTH={name}" for name in context.logins.mechanisms]
        else:
            names.append("LOGINDISABLED")
    return " ".join(names).encode()
