"""The flow of a message: what one account sends, or one client without an account (docs/decisions/0036)."""

from functools import lru_cache
from uuid import UUID, uuid5

from mailkit.mail.address import client_host
from queue_worker.models import NO_FLOW

#: Clients and senders whose flow is cached, since its hash costs more than the rest of a row.
REMEMBERED = 4096
_client = lru_cache(maxsize=REMEMBERED)(client_host)


def flow_of(account: UUID | None, client_address: str | None, mail_from: str) -> UUID:
    """Return the flow of a message: its account, else its client's network (an IPv6 /64), else its sender."""
    if account is not None:
        return account
    if client_address:
        return _named_flow(_client(client_address))
    return _named_flow(mail_from.lower()) if mail_from else NO_FLOW


@lru_cache(maxsize=REMEMBERED)
def _named_flow(name: str) -> UUID:
    return uuid5(NO_FLOW, name)
