"""Two customers, each with a domain that has one row of everything, and tokens of every role."""

from dataclasses import dataclass
from typing import Any

import httpx

from auth_api.admin import AuthAdmin
from mailkit.testing.speed import patient

#: What is only in the rows of the second customer: no answer to the first may have any of it.
FOREIGN = "umbrella"


@dataclass
class Side:
    """A customer's rows: `name` is in all of them."""

    name: str
    domain: str
    mailbox_id: str
    ids: set[str]
    named: dict[str, str]
    """Of ids, those that endpoints take in their paths."""


async def side(auth: Any, name: str, client: str) -> Side:
    """Make the rows of a customer, with a login that gives a grant, and aliases of its domain."""
    domain = f"{name}.test"
    await auth.admin.add_plan(f"plan-{name}", {})
    await auth.admin.add_customer(f"{name} Inc", plan=f"plan-{name}")
    made = await auth.admin.add_domain(domain, customer=f"{name} Inc")
    await auth.admin.add_domain(f"alias-{name}.test", alias_of=domain)
    box = await auth.admin.add_mailbox(f"box@{domain}", password="correct horse")
    forward = await auth.admin.add_forward(f"forward@{domain}", [f"far-{name}@far.test"])
    await auth.admin.set_catchall(domain, "mailbox", mailbox=f"box@{domain}")
    keys = await auth.admin.make_dkim_keys(domain)
    await auth.login(f"box@{domain}", client=client)
    await auth.parts.noted.store()
    (grant,) = await auth.admin.grants(mailbox=f"box@{domain}")
    token = await auth.admin.add_token(f"token-{name}", "domain", domain=domain)
    password = await auth.admin.make_app_password(f"box@{domain}", f"phone-{name}")
    named = {"grant": grant["id"], "token": token["id"], "app_password": password["id"]}
    ids = {made["id"], box["id"], forward["id"], *(key["id"] for key in keys), *named.values()}
    return Side(name, domain, box["id"], ids, named)


async def asks(url: str, token: str, method: str, path: str, content: Any = None) -> httpx.Response:
    """Send a request with a token."""
    async with httpx.AsyncClient(
        base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=patient(30)
    ) as client:
        return await client.request(method, path, json=content)


def admin(auth: Any, token: str) -> AuthAdmin:
    return AuthAdmin(auth.url, token)
