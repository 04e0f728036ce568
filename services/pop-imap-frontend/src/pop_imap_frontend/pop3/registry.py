"""Every POP3 command: its function, and the states in which it is allowed (RFC 1939, RFC 2449, RFC 2595, RFC 5034, RFC 6856)."""

from pop_imap_frontend.pop3.session import Pop3State, Pop3Verb
from pop_imap_frontend.pop3.verbs import authorization, retrieval, transaction, update

_AUTHORIZATION, _TRANSACTION = Pop3State.AUTHORIZATION, Pop3State.TRANSACTION
_BOTH = _AUTHORIZATION | _TRANSACTION

VERBS = {
    "CAPA": Pop3Verb(_BOTH, authorization.capa),
    "STLS": Pop3Verb(_AUTHORIZATION, authorization.stls),
    "UTF8": Pop3Verb(_AUTHORIZATION, authorization.utf8),
    "LANG": Pop3Verb(_BOTH, authorization.lang),
    "USER": Pop3Verb(_AUTHORIZATION, authorization.user),
    "PASS": Pop3Verb(_AUTHORIZATION, authorization.password, verbatim=True),
    "AUTH": Pop3Verb(_AUTHORIZATION, authorization.auth),
    "STAT": Pop3Verb(_TRANSACTION, transaction.stat),
    "LIST": Pop3Verb(_TRANSACTION, transaction.list_),
    "UIDL": Pop3Verb(_TRANSACTION, transaction.uidl),
    "RETR": Pop3Verb(_TRANSACTION, retrieval.retr),
    "TOP": Pop3Verb(_TRANSACTION, retrieval.top),
    "DELE": Pop3Verb(_TRANSACTION, transaction.dele),
    "RSET": Pop3Verb(_TRANSACTION, transaction.rset),
    "NOOP": Pop3Verb(_TRANSACTION, transaction.noop),
    "QUIT": Pop3Verb(_BOTH, update.quit_),
}
