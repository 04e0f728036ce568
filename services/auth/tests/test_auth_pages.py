"""The operators' lists come in pages, each read by an index; clients that know of none get the first and a link."""

import json
import re
from uuid import UUID

import httpx
import pytest

from auth.storage import accounts, aliases, customers, moves
from auth_api import admin
from mailkit.errors import BadRequest, NotFound

DOMAINS, MAILBOXES = 3000, 2500
FIRST = UUID(int=0)


@pytest.fixture
async def full(auth):
    """3,000 domains with their postmasters; 2,500 mailboxes in bulk.test, each with a forward elsewhere, a grant and an entry in badmailfrom."""
    now = auth.clock.now()
    await auth.pool.execute(
        "insert into auth.domains (id, name, created_at) "
        "select gen_random_uuid(), 'd' || n || '.test', $1::timestamptz from generate_series(2, $2::int) n "
        "union all select gen_random_uuid(), 'bulk.test', $1::timestamptz",
        now,
        DOMAINS,
    )
    await auth.pool.execute(
        "with m as (insert into auth.mailboxes (id, address, domain, quota_limit, created_at) "
        "select gen_random_uuid(), 'u' || n || '@bulk.test', 'bulk.test', 26214400, $2 "
        "from generate_series(1, $1::int) n returning id, address), "
        "f as (insert into auth.forwards (id, address, domain, targets, keep_copy, created_at) "
        "select gen_random_uuid(), 'f' || address, 'bulk.test', '{x@far.test}', false, $2 from m), "
        "b as (insert into auth.badmailfrom (id, entry, created_at) select gen_random_uuid(), address, $2 from m) "
        "insert into auth.grants (id, address, mailbox_id, granted_at, expires_at, domain) "
        "select gen_random_uuid(), '192.0.2.7', id, $2::timestamptz - random() * interval '1 hour', "
        "$2::timestamptz + interval '1 hour', 'bulk.test' from m",
        MAILBOXES,
        now,
    )
    await auth.pool.execute(
        "insert into auth.mailboxes (id, address, domain, quota_limit, created_at) "
        "select gen_random_uuid(), 'postmaster@' || name, name, 26214400, created_at from auth.domains where name <> 'bulk.test'"
    )
    await auth.pool.execute(
        "insert into auth.plans (id, name, created_at) select d.id, d.name, $1 from auth.domains d", now
    )
    await auth.pool.execute(
        "insert into auth.customers (id, name, plan_id, created_at) select d.id, d.name, d.id, $1 from auth.domains d",
        now,
    )
    await auth.pool.execute("insert into auth.customers (id, name, created_at) values ($1, 'bulk', $2)", FIRST, now)
    await auth.pool.execute("update auth.domains set customer_id = case when name < 'd2' then id else $1 end", FIRST)
    await auth.pool.execute(
        "insert into auth.moves (domain, phase, imap_host, imap_port, networks, started_at, changed_at) "
        "select name, 'old', 'localhost', 993, '{}', $1, $1 from auth.domains",
        now,
    )
    await auth.pool.execute("analyze")
    return auth


async def test_the_client_reads_every_page_and_each_record_once(full):
    lists = {
        "name": await full.admin.domains(),
        "address": await full.admin.mailboxes("bulk.test"),
        "entry": await full.admin.badmailfrom(),
    }
    for key, expected in (("name", DOMAINS), ("address", MAILBOXES), ("entry", MAILBOXES)):
        assert len({record[key] for record in lists[key]}) == len(lists[key]) == expected
    for found in (await full.admin.forwards(), await full.admin.forwards("bulk.test")):
        assert len({record["address"] for record in found}) == len(found) == MAILBOXES
    for found in (await full.admin.grants(), await full.admin.grants(address="192.0.2.7")):
        assert len({record["id"] for record in found}) == len(found) == MAILBOXES
        assert [record["granted_at"] for record in found] == sorted(record["granted_at"] for record in found)
    assert len(await full.admin.grants(mailbox="u7@bulk.test")) == 1
    assert await full.admin.grants(mailbox="u7@bulk.test", address="192.0.2.8") == []


PATHS = ["domains", "domains/bulk.test/mailboxes", "forwards", "forwards?domain=bulk.test", "badmailfrom", "grants"]


@pytest.mark.parametrize("path", [*PATHS, "grants?address=192.0.2.7"])
async def test_a_question_without_a_page_gets_the_first_thousand_and_the_way_to_the_next(full, path):
    async with httpx.AsyncClient(base_url=full.url, headers={"authorization": "Bearer admin-token"}) as client:
        seen, at = [], f"/v1/{path}"
        while at:
            answer = await client.get(at)
            assert answer.status_code == 200
            assert len(answer.json()) <= 1000
            seen += [record["id"] for record in answer.json()]
            at = answer.links["next"]["url"] if "next" in answer.links else ""
        assert len(set(seen)) == len(seen) == (DOMAINS if path == "domains" else MAILBOXES)


async def test_what_is_no_page_is_refused(auth):
    await auth.make("a@site.com")
    for wrong in ("limit=0", "limit=1001", "limit=x", "after=%00", f"after={'x' * 401}"):
        for path in ("domains", "domains/site.com/mailboxes", "forwards", "badmailfrom", "grants"):
            with pytest.raises(BadRequest):
                await auth.admin.json("GET", f"/v1/{path}?{wrong}")
    with pytest.raises(BadRequest, match="a comma and a mailbox's id"):
        await auth.admin.json("GET", "/v1/grants?after=192.0.2.7,x")
    with pytest.raises(NotFound):
        await auth.admin.json("GET", "/v1/domains/nowhere.test/mailboxes?after=z")
    assert await auth.admin.json("GET", "/v1/domains/site.com/mailboxes?after=z") == []


async def test_a_record_that_comes_or_goes_between_two_pages_moves_no_other(auth, monkeypatch):
    monkeypatch.setattr(admin, "PAGE", 2)
    for name in ("b.test", "d.test", "f.test", "h.test"):
        await auth.admin.add_domain(name)
    page = await auth.admin.json("GET", "/v1/domains?limit=2")
    await auth.admin.add_domain("a.test")
    await auth.admin.delete_domain("d.test")
    rest = await auth.admin.json("GET", "/v1/domains?limit=2&after=d.test")
    assert [record["name"] for record in page + rest] == ["b.test", "d.test", "f.test", "h.test"]
    assert [record["name"] for record in await auth.admin.domains()] == ["a.test", "b.test", "f.test", "h.test"]


async def test_a_release_without_pages_is_understood(auth, monkeypatch):
    monkeypatch.setattr(admin, "PAGE", 2)
    for count in (1, 2, 3, 5):
        every = [{"name": f"d{n}.test"} for n in range(count)]
        asked = []

        async def all_of_them(method, path, every=every, asked=asked):
            asked.append(path)
            return every

        monkeypatch.setattr(auth.admin, "json", all_of_them)
        assert await auth.admin.domains() == every
        assert len(asked) <= 2


async def test_revoking_ends_more_grants_than_one_statement(full):
    assert len(await full.admin.revoke_grants(address="192.0.2.7")) == MAILBOXES
    assert await full.admin.grants() == []


SOURCE = (
    dict.fromkeys(("domains", "domains_of", "mailboxes"), accounts)
    | dict.fromkeys(("customers", "plans"), customers)
    | {"moves": moves}
)
GIVEN = {
    "domains": ["d5.test", 100],
    "mailboxes": ["u5@bulk.test", 100, "bulk.test"],
    "forwards": ["fu5@bulk.test", 100],
    "forwards_of": ["fu5@bulk.test", 100, "bulk.test"],
    "domains_of": ["d5.test", 100, FIRST],
    "moves": ["d5.test", 100],
    "customers": ["d5.test", 100],
    "plans": ["d5.test", 100],
    "badmailfrom": ["u5@bulk.test", 100],
    "grants": ["192.0.2.7", FIRST, 100],
    "grants_of_client": ["192.0.2.7", FIRST, 100, "192.0.2.7"],
    "grants_of_mailbox": ["", FIRST, 100, "u5@bulk.test", None],
}


@pytest.mark.parametrize("name", GIVEN)
async def test_no_page_reads_more_than_its_rows(full, name):
    """Only what a page shows is read, whatever the table has: by an index, and no node reads more than its rows."""
    statement = getattr(SOURCE.get(name, aliases).queries, name)
    given = [full.clock.now(), *GIVEN[name]] if name.startswith("grants") else GIVEN[name]
    found = json.loads(await full.pool.fetchval(f"explain (analyze, format json) {statement}", *given))

    def nodes(plan):
        yield plan
        for below in plan.get("Plans", []):
            yield from nodes(below)

    for node in nodes(found[0]["Plan"]):
        read = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        assert read <= 100, json.dumps(node, indent=1)
        assert not re.search("Seq Scan", node["Node Type"]), json.dumps(node, indent=1)
