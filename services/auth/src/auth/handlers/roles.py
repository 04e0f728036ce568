"""What each role may do: one line for each operation of the JSON API (docs/decisions/0117).

An operation without a line is for operators. A reader may do what only reads, of what it is confined to.
"""

from typing import Annotated, Literal

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from auth.storage.callers import Acting, act
from mailkit.errors import BadRequest, Forbidden
from mailkit.rpc.authority import REFUSED
from mailkit.rpc.caller import Caller

Level = Literal["operator", "customer", "domain"]
_RANK: dict[Level, int] = {"operator": 0, "customer": 1, "domain": 2}

#: The lowest level that may use an operation. Domains are added by operators: a name is only taken on for its owner. So are
#: lists that concern everybody, and the ends of what an operator has done to stop abuse.
MAY: dict[str, Level] = {
    "caller": "domain",
    "audit": "domain",
    "domains": "domain",
    "add_domain": "operator",
    "domain": "domain",
    "close_domain": "customer",
    "delete_domain": "customer",
    "set_catchall": "domain",
    "set_tags": "domain",
    "set_identity": "operator",
    "moves": "operator",
    "move": "operator",
    "start_move": "operator",
    "switch_move": "operator",
    "back_move": "operator",
    "end_move": "operator",
    "domain_dns": "domain",
    "dkim_keys": "domain",
    "make_dkim_keys": "domain",
    "check_dkim_keys": "domain",
    "rotate_dkim_keys": "domain",
    "remove_dkim_keys": "domain",
    "mailboxes": "domain",
    "add_mailbox": "domain",
    "mailbox": "domain",
    "set_password": "domain",
    "set_quota": "domain",
    "disable_mailbox": "operator",
    "enable_mailbox": "operator",
    "rename_mailbox": "operator",
    "delete_mailbox": "domain",
    "app_passwords": "domain",
    "make_app_password": "domain",
    "revoke_app_password": "domain",
    "set_main_password": "domain",
    "forwards": "domain",
    "add_forward": "domain",
    "set_forward": "domain",
    "delete_forward": "domain",
    "badmailfrom": "operator",
    "add_badmailfrom": "operator",
    "delete_badmailfrom": "operator",
    "grants": "domain",
    "revoke_grants": "domain",
    "revoke_grant": "domain",
    "trace": "domain",
    "tokens": "domain",
    "add_token": "customer",
    "rotate_token": "domain",
    "revoke_token": "customer",
    "plans": "operator",
    "add_plan": "operator",
    "plan": "customer",
    "set_plan": "operator",
    "delete_plan": "operator",
    "customers": "operator",
    "add_customer": "operator",
    "customer": "customer",
    "set_customer": "operator",
    "delete_customer": "operator",
    "customer_domains": "customer",
    "set_domain_customer": "operator",
}


async def asker(request: Request) -> Caller:
    """Return the request's caller, and act as it from here on. Raises Forbidden."""
    caller: Caller = request.scope["caller"]
    operation = str(getattr(request.scope["route"], "operation_id", ""))
    least = MAY.get(operation, "operator")
    if not caller.writes and request.method != "GET":
        raise _refused(f"{operation} changes something, and this token only reads; use one of another role")
    level: Level = "domain" if caller.domain is not None else "customer" if caller.customer is not None else "operator"
    if _RANK[level] > _RANK[least]:
        needed = "an operator's token" if least == "operator" else "a customer's or an operator's token"
        raise _refused(f"{operation} needs {needed}; this one is that of {caller.described}")
    act(Acting(caller, request.client.host if request.client else "", operation))
    return caller


def _refused(sentence: str) -> Forbidden:
    REFUSED.labels("forbidden").inc()
    return Forbidden(sentence)


#: The caller as an endpoint's argument.
Asker = Annotated[Caller, Depends(asker)]
#: The dependencies of every router of the JSON API; the first makes `/docs` name the token.
CALLERS = (Depends(HTTPBearer(auto_error=False)), Depends(asker))


def named(caller: Caller, value: str | None, what: str) -> None:
    """Require of a confined caller that it names `what`: without it the whole table would be searched for its rows. Raises BadRequest."""
    if caller.confined and not value:
        raise BadRequest(f"say of which {what}: this token sees a part of the list only, ?{what.replace(' ', '_')}=…")
