"""Who may use which sender address: the rule of the address's domain and of the client's, by domain or mailbox (decision 89)."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from auth import metrics
from auth.storage.directory import queries
from auth_api import wire
from mailkit.errors import BadRequest, Conflict, NotFound

CLIENT = "192.0.2.7"


async def author(
    auth: Any, *addresses: str, login: UUID | None = None, client: str | None = None, readable: bool = True
) -> bool:
    question = wire.AuthorQuestion(list(addresses), client, login, readable)
    return (await auth.gateway.authors([question]))[0].allowed


async def table(auth: Any, login: UUID | None, client: str | None, addresses: Sequence[str]) -> str:
    """One letter per address, in From and alike in MAIL FROM: y if it may be used."""
    found = ""
    for address in addresses:
        allowed = await author(auth, address, login=login, client=client)
        assert (await auth.mail(address, login=login, client=client)).identity_allowed == allowed, address
        found += "y" if allowed else "n"
    return found


@pytest.fixture
async def boxes(auth) -> dict[str, UUID]:
    """a, b of old.com (no rule), c, d of new.com (enforce), e of logs.com (log); sales@new.com forwards to a@old.com."""
    made = {
        address: await auth.make(address)
        for address in ("a@old.com", "b@old.com", "c@new.com", "d@new.com", "e@logs.com")
    }
    await auth.admin.set_identity("new.com", "enforce")
    await auth.admin.set_identity("logs.com", "log")
    await auth.admin.add_forward("sales@new.com", ["x@far.test", "A@old.com"])
    return made


ADDRESSES = (
    "a@old.com",
    "b@old.com",
    "C@New.com",
    "d@new.com",
    "sales@new.com",
    "x@new.com",
    "e@logs.com",
    "x@far.test",
)


async def test_what_is_simulated_is_neither_counted_nor_logged(auth, boxes, capsys):
    def counted() -> dict[str, float]:
        return {str(s): s.value for m in (metrics.IDENTITIES, metrics.SENDERS) for f in m.collect() for s in f.samples}

    capsys.readouterr()
    before = counted()
    await auth.gateway.senders([wire.SenderQuestion("c@new.com", None, boxes["e@logs.com"], True)])
    await auth.gateway.authors([wire.AuthorQuestion(["c@new.com"], None, boxes["e@logs.com"], True, True)])
    assert counted() == before and "sender_not_own" not in capsys.readouterr().out
    await auth.gateway.authors([wire.AuthorQuestion(["c@new.com"], None, boxes["e@logs.com"])])
    assert counted() != before and "sender_not_own" in capsys.readouterr().out


async def test_logins(auth, boxes):
    assert await table(auth, boxes["a@old.com"], None, ADDRESSES) == "yynnynyy"
    assert await table(auth, boxes["c@new.com"], None, ADDRESSES) == "nnyyyynn"
    assert await table(auth, boxes["e@logs.com"], None, ADDRESSES) == "yynnnnyy"
    await auth.admin.set_identity("new.com", "enforce", "mailbox")
    assert await table(auth, boxes["c@new.com"], None, ADDRESSES) == "nnynnnnn"
    assert await table(auth, boxes["a@old.com"], None, ADDRESSES) == "yynnynyy"
    await auth.admin.set_identity("new.com", None)
    assert await table(auth, boxes["c@new.com"], None, ADDRESSES) == "yyyyyyyy", (
        "without keys the contract's default holds"
    )


async def test_a_mailbox_may_use_its_address_with_a_tag(auth, boxes):
    await auth.admin.set_identity("new.com", "enforce", "mailbox")
    c = boxes["c@new.com"]
    assert not await author(auth, "c+tag@new.com", login=c)
    await auth.admin.set_tags("new.com", True)
    assert await author(auth, "c+tag@new.com", login=c)
    assert not await author(auth, "d+tag@new.com", login=c)
    assert not await author(auth, "d+c@new.com", login=c)
    assert not await author(auth, "c+tag@old.com", login=c)
    await auth.login("c@new.com", client=CLIENT)
    assert await author(auth, "c+tag@new.com", client=CLIENT)
    assert not await author(auth, "d+tag@new.com", client=CLIENT)
    await auth.admin.add_mailbox("c+other@new.com")
    await auth.admin.add_forward("c+list@new.com", ["d@new.com"])
    for address in ("c+other@new.com", "c+list@new.com"):  # whose mail does not come to c@ either
        assert not await author(auth, address, login=c) and not await author(auth, address, client=CLIENT)


async def test_grants_may_use_what_the_mailboxes_of_all_live_grants_may_use(auth, boxes):
    await auth.login("c@new.com", client=CLIENT)
    assert await table(auth, None, CLIENT, ADDRESSES) == "nnyyyynn"
    await auth.login("a@old.com", client=CLIENT)
    await auth.login("d@new.com", client=CLIENT)
    assert await table(auth, None, CLIENT, ADDRESSES) == "yyyyyyyy"
    auth.pass_time(3600)
    await auth.login("a@old.com", client=CLIENT)
    assert await table(auth, None, CLIENT, ADDRESSES) == "yynnynyy"
    await auth.admin.set_identity("new.com", "enforce", "mailbox")
    await auth.login("c@new.com", client=CLIENT)
    assert await table(auth, None, CLIENT, ADDRESSES) == "yyynynyy"
    await auth.admin.disable_mailbox("c@new.com")
    assert await table(auth, None, CLIENT, ADDRESSES) == "yynnynyy"
    await auth.admin.disable_mailbox("a@old.com")
    assert not await author(auth, "sales@new.com", client=CLIENT)


async def test_every_address_of_from_counts_and_so_does_what_cannot_be_read(auth, boxes):
    c, a = boxes["c@new.com"], boxes["a@old.com"]
    assert await author(auth, "c@new.com", "d@new.com", login=c)
    assert not await author(auth, "c@new.com", "a@old.com", login=c)
    assert not await author(auth, "a@old.com", "c@new.com", login=a)
    assert not await author(auth, "c@new.com", login=c, readable=False)
    assert not await author(auth, login=c, readable=False)
    assert await author(auth, login=a, readable=False), "no domain concerned has a rule"
    assert not await author(auth, "c@new.com", login=a, readable=False)


async def test_the_null_sender_and_clients_without_a_right_have_no_rule_at_mail(auth, boxes):
    assert (await auth.mail("", login=boxes["c@new.com"])).identity_allowed
    assert (await auth.mail("c@new.com", client=None)) == wire.SenderAnswer(False, True, None)


async def test_mail_says_whether_from_has_to_be_asked_about(auth, boxes):
    async def rule(sender: str, box: str) -> str:
        return (await auth.mail(sender, login=boxes[box])).from_rule

    assert await rule("a@old.com", "a@old.com") == "none"
    assert await rule("x@far.test", "a@old.com") == "none"
    assert await rule("sales@new.com", "a@old.com") == "some"
    assert await rule("", "c@new.com") == "some"
    assert await rule("e@logs.com", "e@logs.com") == "some"


async def test_what_an_operator_may_set(auth, boxes):
    domain = await auth.admin.set_identity("old.com", "log", "mailbox")
    assert domain["identity"] == {"level": "log", "chosen": "log", "by": "mailbox"}
    assert (await auth.admin.set_identity("old.com", None))["identity"] == {
        "level": "off",
        "chosen": None,
        "by": "mailbox",
    }
    await auth.pool.execute("update auth.domains set signing = true where name = 'old.com'")
    with pytest.raises(Conflict, match="log or enforce"):
        await auth.admin.set_identity("old.com", "off")
    await auth.pool.execute("update auth.domains set identity = 'off' where name = 'old.com'")
    assert (await auth.admin.domain("old.com"))["identity"]["level"] == "log", "a domain that signs is at least at log"
    with pytest.raises(NotFound):
        await auth.admin.set_identity("nowhere.test", "off")
    with pytest.raises(BadRequest):
        await auth.admin.set_identity("old.com", "some")


@pytest.mark.parametrize("settings", [{"identity_of_new_domains": "log"}], indirect=True)
async def test_a_setting_brings_the_old_default_back(auth):
    box = await auth.make("a@site.com")
    await auth.pool.execute("update auth.domains set signing = true")
    assert (await auth.admin.domain("site.com"))["identity"]["level"] == "log"
    assert await author(auth, "x@far.test", login=box)


async def test_a_thousand_grants_of_one_address_are_not_all_looked_at(auth, boxes):
    await auth.pool.execute("""
        insert into auth.mailboxes (id, address, domain, quota_limit, created_at)
        select gen_random_uuid(), 'u' || n || '@new.com', 'new.com', 1073741824, now() from generate_series(1, 1000) n""")
    await auth.pool.execute(
        "insert into auth.grants (id, address, mailbox_id, granted_at, expires_at, domain) "
        "select gen_random_uuid(), $1, id, $2::timestamptz, $2::timestamptz + interval '1 hour', 'new.com' "
        "from auth.mailboxes where address like 'u%'",
        CLIENT, auth.clock.current,
    )  # fmt: skip
    await auth.pool.execute("analyze auth.grants")
    arguments = [0], ["x@far.test"], ["far.test"], [CLIENT], [None], auth.clock.current
    async with auth.questions.acquire() as connection:
        plan = await connection.fetchval(f"explain (analyze, format json) {queries.identities}", *arguments)
    assert max(_rows(plan)) <= 100, plan
    assert not await author(auth, "x@far.test", client=CLIENT)
    assert await author(auth, "anyone@new.com", client=CLIENT)


def _rows(plan: Any) -> list[int]:
    found: list[int] = []

    def walk(node: dict[str, Any]) -> None:
        found.append(int(node["Actual Rows"]) * int(node["Actual Loops"]))
        for each in node.get("Plans", []):
            walk(each)

    walk(json.loads(plan)[0]["Plan"])
    return found
