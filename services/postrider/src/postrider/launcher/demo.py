"""The demo domain of the single-machine run: two mailboxes to try things with, made at the first start."""

import json
import secrets

from mailkit.errors import Conflict
from mailkit.rpc.client import ServiceClient
from postrider.launcher.plan import Plan
from postrider.launcher.state import write_private

USERS = ("alice", "bob")


async def make_demo(plan: Plan, admin_token: str) -> list[tuple[str, str]]:
    """Make the demo mailboxes and their passwords, at the first start only; return (address, password) of each."""
    path = plan.state / "demo.json"
    if path.exists():
        return [(address, password) for address, password in json.loads(path.read_text())]
    accounts = [(f"{name}@{plan.demo_domain}", secrets.token_urlsafe(9)) for name in USERS]
    auth = ServiceClient(plan.url("auth"), admin_token)
    try:
        await _ignore_conflict(auth, "/v1/domains", {"name": plan.demo_domain})
        for address, password in accounts:
            await _ignore_conflict(auth, "/v1/mailboxes", {"address": address, "password": password})
            await auth.json("PUT", f"/v1/mailboxes/{address}/password", {"password": password})
    finally:
        await auth.aclose()
    write_private(path, json.dumps(accounts))
    return accounts


async def _ignore_conflict(auth: ServiceClient, path: str, content: dict[str, str]) -> None:
    try:
        await auth.json("POST", path, content)
    except Conflict:
        return
