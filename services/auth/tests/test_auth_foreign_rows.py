"""Decision 118: callers that are confined see, change and learn of nothing of others, with the checks in code and without them."""

import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from auth.handlers import aliases, roles, trace
from auth.service import web
from mailkit.process.lifecycle import Lifecycle
from mailkit.testing.speed import patient

from .roles import FOREIGN, Side, side

#: Of the same length and in the same place of every order, and of nobody.
ABSENT = "umbrelly"
ABSENT_ID = "01890000-0000-7000-8000-000000000001"
DNS_PATHS = ("/v1/domains/{name}/dns",)  # asks resolvers only after the domain was found
Call = tuple[str, str, Any]


def calls(document: Any, name: str, ids: dict[str, str], own: str) -> Iterator[Call]:
    """Every endpoint with the names, ids, page cursors and filters of the customer `name`; bodies that name its rows."""
    domain = f"{name}.test"
    named = {
        "{address}": [f"box@{domain}", f"forward@{domain}", f"postmaster@{domain}"],
        "{entry}": [f"@{domain}"],
        "{token_id}": [ids["token"]],
        "{grant_id}": [ids["grant"]],
        "{id}": [ids["app_password"]],
    }
    filters = [
        "",
        f"?after={domain}",
        f"?after=box@{domain}&limit=1",
        f"?domain={domain}",
        f"?mailbox=box@{domain}",
        f"?address=box@{domain}",
        f"?address={domain}&limit=1",
        "?address=198.51.100.7",
    ]
    bodies: dict[tuple[str, str], list[Any]] = {
        ("post", "/v1/domains"): [
            {"name": f"new.{domain}", "alias_of": domain},
            {"name": f"new.{domain}", "customer": f"{name} Inc"},
        ],
        ("post", "/v1/mailboxes"): [{"address": f"new@{domain}"}, {"address": f"box@{domain}"}],
        ("post", "/v1/forwards"): [
            {"address": f"new@{domain}", "targets": ["x@far.test"]},
            {"address": f"box@{domain}", "targets": ["x@far.test"], "keep_copy": True},
        ],
        ("post", "/v1/tokens"): [
            {"name": "t", "role": "domain", "domain": domain},
            {"name": "t", "role": "read-only", "domain": domain},
            {"name": "t", "role": "customer", "customer": f"{name} Inc"},
            {"name": "t", "role": "operator"},
        ],
        ("post", "/v1/customers"): [{"name": "c", "plan": f"plan-{name}"}],
        ("put", "/v1/forwards/{address}"): [{"targets": ["x@far.test"]}],
        ("put", "/v1/mailboxes/{address}/password"): [{"password": "stolen password"}],
        ("put", "/v1/mailboxes/{address}/quota"): [{"quota_limit": 30 << 20}],
        ("post", "/v1/mailboxes/{address}/rename"): [{"to": f"new@{domain}"}, {"to": f"new@{own}"}],
        ("post", "/v1/mailboxes/{address}/app-passwords"): [{"name": "phone"}],
        ("put", "/v1/mailboxes/{address}/main-password"): [{"enabled": False}],
        ("put", "/v1/domains/{name}/catchall"): [{"kind": "bounce"}],
        ("put", "/v1/domains/{name}/tags"): [{"tags": True}],
        ("put", "/v1/domains/{name}/identity"): [{"level": "log"}],
        ("put", "/v1/domains/{name}/customer"): [{"customer": "acme Inc"}],
        ("put", "/v1/customers/{name}"): [{"plan": None}],
        ("patch", "/v1/plans/{name}"): [{"limits": {}}],
    }
    yield "put", f"/v1/domains/{own}/catchall", {"kind": "mailbox", "mailbox": f"box@{domain}"}
    yield "put", f"/v1/domains/{own}/customer", {"customer": f"{name} Inc"}
    for path, methods in document["paths"].items():
        kind = "plan-" + name if "/plans/" in path else f"{name} Inc" if "/customers/" in path else domain
        keys = [key for key in named if key in path]
        for method in methods:
            for values in itertools.product(*(named[key] for key in keys)):
                at = path.replace("{name}", kind)
                for key, value in zip(keys, values, strict=True):
                    at = at.replace(key, value)
                assert "{" not in at, f"say which foreign value stands in {path}"
                for content in bodies.get((method, path), [{} if method != "get" else None]):
                    for query in filters if method == "get" and "{" not in path else [""]:
                        yield method, at + query, content


async def rows(pool: Any, of: Side) -> list[str]:
    """Everything that the database has of a customer."""
    found = []
    for table in ("customers", "plans", "domains", "mailboxes", "forwards", "dkim_keys", "grants", "tokens", "event"):
        found += [
            str(dict(row)) for row in await pool.fetch(f"select * from auth.{table} t where t::text like '%{of.name}%'")
        ]
    secrets = "select * from auth.token_secrets where token_id = $1::text::uuid"
    passwords = "select * from auth.app_passwords where mailbox_id = $1::text::uuid"
    found += [str(dict(row)) for row in await pool.fetch(passwords, of.mailbox_id)]
    found += [str(dict(row)) for row in await pool.fetch(secrets, of.named["token"])]
    return found


async def ask(client: httpx.AsyncClient, token: str, call: Call) -> tuple[int, str]:
    method, path, content = call
    answer = await client.request(method, path, json=content, headers={"authorization": f"Bearer {token}"})
    return answer.status_code, answer.text + answer.headers.get("link", "")


@pytest.mark.parametrize("checked", [True, False], ids=["checks", "row-level security alone"])
async def test_no_answer_has_a_foreign_row_or_says_that_there_is_one(auth, settings, monkeypatch, checked):
    acme, other = await side(auth, "acme", "192.0.2.1"), await side(auth, FOREIGN, "198.51.100.7")
    tokens = {
        "customer": await auth.admin.add_token("a", "customer", customer="acme Inc"),
        "domain": await auth.admin.add_token("b", "domain", domain=acme.domain),
        "customer's reader": await auth.admin.add_token("c", "read-only", customer="acme Inc"),
        "domain's reader": await auth.admin.add_token("d", "read-only", domain=acme.domain),
    }
    document = web(settings, Lifecycle(), auth.parts).openapi()
    if not checked:
        monkeypatch.setattr(roles, "MAY", dict.fromkeys(roles.MAY, "domain"))
        for module in (aliases, trace):
            monkeypatch.setattr(module, "named", lambda *_: None)
    before = await rows(auth.pool, other)
    assert len(before) > 15
    asked, seen = 0, set()
    async with httpx.AsyncClient(base_url=auth.url, timeout=patient(60)) as client:
        for kind, token in tokens.items():
            theirs = calls(document, FOREIGN, other.named, acme.domain)
            none = calls(document, ABSENT, dict.fromkeys(other.named, ABSENT_ID), acme.domain)
            for call, twin in itertools.zip_longest(theirs, none):
                found, empty = await ask(client, token["token"], call), await ask(client, token["token"], twin)
                # what does not exist is answered alike: neither status nor words say that something is there
                said = found[1]
                for theirs_id in other.named.values():
                    said = said.replace(theirs_id, ABSENT_ID)
                assert (found[0], said.replace(FOREIGN, ABSENT)) == empty, (kind, call)
                assert found[0] < 500, (kind, call, found)
                assert not any(
                    each in found[1].replace(call[1], "") for each in other.ids - set(other.named.values())
                ), call
                seen.add(found[0])
                asked += 1
    assert await rows(auth.pool, other) == before
    assert asked >= 200 and {200, 403, 404} <= seen, (asked, seen)
