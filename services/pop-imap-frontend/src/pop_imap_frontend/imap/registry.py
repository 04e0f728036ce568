"""Every IMAP command: its function, and the states in which it is allowed (RFC 3501 6)."""

from functools import partial

from pop_imap_frontend.imap.session import ImapVerb
from pop_imap_frontend.imap.state import ImapState
from pop_imap_frontend.imap.verbs import (
    account,
    append,
    fetch,
    folders,
    idle,
    listing,
    messages,
    metadata,
    notify,
    quota,
    searching,
    store,
)

_BEFORE_LOGIN = ImapState.NOT_AUTHENTICATED
_SELECTED = ImapState.SELECTED
_LOGGED_IN = ImapState.AUTHENTICATED | _SELECTED
_ANY = _BEFORE_LOGIN | _LOGGED_IN

VERBS = {
    # any state (RFC 3501 6.1; RFC 2971)
    "CAPABILITY": ImapVerb(_ANY, account.capability),
    "NOOP": ImapVerb(_ANY, account.noop, sends_changes=False),
    "LOGOUT": ImapVerb(_ANY, account.logout, sends_changes=False),
    "ID": ImapVerb(_ANY, account.identify),
    # before the login (6.2)
    "STARTTLS": ImapVerb(_BEFORE_LOGIN, account.starttls),
    "LOGIN": ImapVerb(_BEFORE_LOGIN, account.login),
    "AUTHENTICATE": ImapVerb(_BEFORE_LOGIN, account.authenticate),
    # after the login (6.3; RFC 2342, 2177, 5161, 5464, 5465, 9208)
    "UNAUTHENTICATE": ImapVerb(_LOGGED_IN, account.unauthenticate),
    "ENABLE": ImapVerb(_LOGGED_IN, account.enable),
    "COMPRESS": ImapVerb(_LOGGED_IN, account.compress),
    "NAMESPACE": ImapVerb(_LOGGED_IN, account.namespace),
    "SELECT": ImapVerb(_LOGGED_IN, partial(folders.select, read_only=False), sends_changes=False),
    "EXAMINE": ImapVerb(_LOGGED_IN, partial(folders.select, read_only=True), sends_changes=False),
    "CREATE": ImapVerb(_LOGGED_IN, folders.create),
    "DELETE": ImapVerb(_LOGGED_IN, folders.delete),
    "RENAME": ImapVerb(_LOGGED_IN, folders.rename),
    "SUBSCRIBE": ImapVerb(_LOGGED_IN, folders.subscribe),
    "UNSUBSCRIBE": ImapVerb(_LOGGED_IN, folders.unsubscribe),
    "LIST": ImapVerb(_LOGGED_IN, listing.list_),
    "LSUB": ImapVerb(_LOGGED_IN, listing.lsub),
    "STATUS": ImapVerb(_LOGGED_IN, listing.status),
    "NOTIFY": ImapVerb(_LOGGED_IN, notify.notify, sends_changes=False),
    "GETMETADATA": ImapVerb(_LOGGED_IN, metadata.getmetadata),
    "SETMETADATA": ImapVerb(_LOGGED_IN, metadata.setmetadata),
    "GETQUOTA": ImapVerb(_LOGGED_IN, quota.getquota),
    "GETQUOTAROOT": ImapVerb(_LOGGED_IN, quota.getquotaroot),
    "SETQUOTA": ImapVerb(_LOGGED_IN, quota.setquota),
    "APPEND": ImapVerb(_LOGGED_IN, append.append),
    "IDLE": ImapVerb(_LOGGED_IN, idle.idle, sends_changes=False),
    # in a selected folder (6.4; RFC 3691, 4315, 6851, 8508)
    "CHECK": ImapVerb(_SELECTED, folders.check, sends_changes=False),
    "CLOSE": ImapVerb(_SELECTED, folders.close, sends_changes=False),
    "UNSELECT": ImapVerb(_SELECTED, folders.unselect, sends_changes=False),
    "EXPUNGE": ImapVerb(_SELECTED, messages.expunge),
    "UID EXPUNGE": ImapVerb(_SELECTED, messages.uid_expunge),
    "SEARCH": ImapVerb(_SELECTED, partial(searching.search, by_uid=False), sends_changes=False),
    "UID SEARCH": ImapVerb(_SELECTED, partial(searching.search, by_uid=True)),
    "SORT": ImapVerb(_SELECTED, partial(searching.sort, by_uid=False), sends_changes=False),
    "UID SORT": ImapVerb(_SELECTED, partial(searching.sort, by_uid=True)),
    "THREAD": ImapVerb(_SELECTED, partial(searching.thread, by_uid=False), sends_changes=False),
    "UID THREAD": ImapVerb(_SELECTED, partial(searching.thread, by_uid=True)),
    "FETCH": ImapVerb(_SELECTED, partial(fetch.fetch, by_uid=False), sends_changes=False),
    "UID FETCH": ImapVerb(_SELECTED, partial(fetch.fetch, by_uid=True)),
    "STORE": ImapVerb(_SELECTED, partial(store.store, by_uid=False), sends_changes=False),
    "UID STORE": ImapVerb(_SELECTED, partial(store.store, by_uid=True)),
    "COPY": ImapVerb(_SELECTED, partial(messages.copy, by_uid=False, move=False)),
    "UID COPY": ImapVerb(_SELECTED, partial(messages.copy, by_uid=True, move=False)),
    "MOVE": ImapVerb(_SELECTED, partial(messages.copy, by_uid=False, move=True)),
    "UID MOVE": ImapVerb(_SELECTED, partial(messages.copy, by_uid=True, move=True)),
    "REPLACE": ImapVerb(_SELECTED, partial(append.replace, by_uid=False)),
    "UID REPLACE": ImapVerb(_SELECTED, partial(append.replace, by_uid=True)),
}
