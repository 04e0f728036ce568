"""OPEN-SMTP (S2, I2) and sender questions: grants, whose they are, who may never hold one (decision 9), S12."""

import asyncio
import json
import re
from datetime import timedelta
from uuid import UUID

import pytest
from pydantic import SecretStr

from auth.config import AuthSettings
from auth.grants import GrantPolicy
from auth.storage.directory import queries
from mailkit.errors import ConfigError

HOUR = 3600


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
async def test_s2_a_login_opens_exactly_an_hour_for_that_address(auth, protocol):
    box = await auth.make("a@site.com")
    assert (await auth.mail("x@far.test")).relay is None
    await auth.login("a@site.com", protocol=protocol)
    right = (await auth.mail("x@far.test")).relay
    assert (right.how, right.mailbox_id, right.address) == ("grant", box, "a@site.com")
    assert (await auth.mail("x@far.test", client="192.0.2.8")).relay is None
    assert (await auth.mail("x@far.test", client=None)).relay is None
    auth.pass_time(HOUR - 0.001)
    assert (await auth.mail("x@far.test")).relay is not None
    auth.pass_time(0.001)
    assert (await auth.mail("x@far.test")).relay is None


async def test_s2_a_new_login_starts_the_hour_anew(auth):
    await auth.make("a@site.com")
    await auth.login("a@site.com")
    auth.pass_time(HOUR - 10)
    await auth.login("a@site.com")
    auth.pass_time(HOUR - 1)
    assert (await auth.mail("x@far.test")).relay is not None
    auth.pass_time(1)
    assert (await auth.mail("x@far.test")).relay is None


async def test_neither_smtp_auth_nor_a_refusal_nor_p4_gives_a_grant(auth):
    await auth.make("a@site.com")
    await auth.login("a@site.com", protocol="smtp", client="192.0.2.1")
    await auth.login("a@site.com", "wrong", client="192.0.2.2")
    await auth.login("a@site.com", protocol="pop3", client="192.0.2.3")
    assert (await auth.login("a@site.com", protocol="pop3", client="192.0.2.4")).outcome == "too_soon"
    await auth.login("a@site.com", client=None)
    assert [grant["address"] for grant in await auth.admin.grants()] == ["192.0.2.3"]


async def test_a_refused_p4_login_does_not_lengthen_a_grant(auth):
    await auth.make("a@site.com")
    await auth.login("a@site.com", protocol="pop3")
    auth.pass_time(59)
    assert (await auth.login("a@site.com", protocol="pop3")).outcome == "too_soon"
    auth.pass_time(HOUR - 59)
    assert (await auth.mail("x@far.test")).relay is None


async def test_two_mailboxes_behind_one_address_each_have_their_own_grant(auth):
    for name in ("a@site.com", "b@site.com", "c@other.org"):
        await auth.make(name)
    await auth.login("a@site.com")
    auth.pass_time(1)
    await auth.login("c@other.org")
    auth.pass_time(1)
    await auth.login("b@site.com")

    async def charged(sender: str) -> str:
        return (await auth.mail(sender)).relay.address

    assert await charged("a@site.com") == "a@site.com"  # the mailbox
    assert await charged("A@Site.COM") == "a@site.com"
    assert await charged("x@other.org") == "c@other.org"  # the domain
    assert await charged("x@site.com") == "b@site.com"  # the newest of the domain's
    assert await charged("x@far.test") == "b@site.com"  # the newest
    assert await charged("") == "b@site.com"
    await auth.admin.set_password("b@site.com", "new")
    assert await charged("x@far.test") == "c@other.org"
    await auth.admin.disable_mailbox("c@other.org")
    assert await charged("x@far.test") == "a@site.com"
    assert len(await auth.admin.revoke_grants(address="192.0.2.7", mailbox="a@site.com")) == 1
    assert (await auth.mail("x@far.test")).relay is None
    await auth.admin.enable_mailbox("c@other.org")
    assert (await auth.mail("x@far.test")).relay is None


async def test_a_password_change_racing_a_login_leaves_no_grant_behind(auth):
    await auth.make("a@site.com")
    for n in range(15):
        await asyncio.gather(
            *(auth.login("a@site.com", f"{n - 1}" if n else "correct horse", client=f"192.0.2.{k}") for k in range(4)),
            auth.admin.set_password("a@site.com", f"{n}"),
        )
        version = (await auth.admin.mailbox("a@site.com"))["credential_version"]
        assert version == n + 2
        assert await auth.admin.grants() == []
        await auth.pool.execute("delete from auth.login_failures")


async def test_auth_is_looked_at_before_a_grant_and_ends_with_the_mailbox(auth):
    a, b = await auth.make("a@site.com"), await auth.make("b@site.com")
    await auth.login("b@site.com")
    right = (await auth.mail("b@site.com", login=a)).relay
    assert (right.how, right.mailbox_id) == ("auth", a)
    await auth.admin.disable_mailbox("a@site.com")
    right = (await auth.mail("x@far.test", login=a)).relay
    assert (right.how, right.mailbox_id) == ("grant", b)
    assert (await auth.mail("x@far.test", login=a, client=None)).relay is None


async def test_a_mapped_address_and_one_with_a_zone_are_the_same_client(auth):
    await auth.make("a@site.com")
    await auth.login("a@site.com", client="::ffff:192.0.2.7")
    assert (await auth.mail("", client="192.0.2.7")).relay is not None
    await auth.login("a@site.com", client="2001:DB8:0::1%eth0")
    assert (await auth.mail("", client="2001:db8::1")).relay is not None
    assert (await auth.mail("", client="not an address")).relay is None


@pytest.mark.parametrize(
    "client",
    [
        "127.0.0.2",
        "::1",
        "10.1.2.3",
        "172.20.0.1",
        "192.168.1.1",
        "100.64.0.9",
        "169.254.1.1",
        "fe80::1",
        "fd00::1",
        "::ffff:10.0.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "ff02::1",
    ],
)
async def test_shared_address_space_holds_no_grant_by_default(auth, client):
    await auth.make("a@site.com")
    assert (await auth.login("a@site.com", client=client)).outcome == "ok"
    assert await auth.admin.grants() == []


def test_allow_names_networks_deny_wins_and_proxies_never():
    policy = GrantPolicy(
        ["203.0.113.0/24", "10.1.1.0/24"], ["10.1.0.0/16", "127.0.0.0/8"], ["127.0.0.9/32", "198.51.100.1"]
    )
    assert policy.holder("10.1.2.3") == "10.1.2.3"
    assert policy.holder("127.0.0.2") == "127.0.0.2"
    for refused in ("10.1.1.5", "10.2.0.1", "203.0.113.77", "127.0.0.9", "198.51.100.1", "::1", None):
        assert policy.holder(refused) is None


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
def test_an_allowed_slash_0_is_refused_at_the_start(network):
    with pytest.raises(ConfigError, match="/0"):
        _ = AuthSettings(grant_allow_networks=network).grants


def test_a_network_that_is_none_is_refused_at_the_start():
    for name in ("grant_deny_networks", "grant_allow_networks", "trusted_proxies", "limit_exempt_networks"):
        settings = AuthSettings(**{name: "10.0.0.0/33"}, admin_token=SecretStr(""))
        with pytest.raises(ConfigError, match="POSTRIDER_"):
            _ = settings.grants, settings.exempt


async def test_a_grant_given_before_a_deny_is_not_honoured_after(auth, settings):
    await auth.make("a@site.com")
    await auth.login("a@site.com", client="203.0.113.9")
    from auth.directory.identity import Identities
    from auth.directory.returns import Returns
    from auth.directory.senders import Senders
    from auth.login.domains import KnownDomains
    from auth.storage.directory import Directory
    from auth.storage.srs import SrsKeys
    from auth_api.wire import SenderQuestion

    directory, policy = Directory(auth.pool), GrantPolicy(["203.0.113.0/24"])
    identities = Identities(directory, auth.clock, policy)
    returns = Returns(SrsKeys(auth.pool), auth.clock, "")
    denying = Senders(directory, auth.clock, policy, "any", identities, KnownDomains(directory), returns)
    assert (await denying.answer([SenderQuestion("", "203.0.113.9", None)]))[0].relay is None


async def test_s12_badmailfrom_by_address_and_by_domain_without_case(auth):
    await auth.admin.add_badmailfrom("Spammer@Far.test")
    await auth.admin.add_badmailfrom("@Bad.test")
    for sender in ("spammer@far.test", "SPAMMER@FAR.TEST.", "x@bad.test", "x@BAD.test", "x@bad.test "):
        assert (await auth.mail(sender)).badmailfrom, sender
    for sender in ("", "other@far.test", "x@notbad.test", "x@sub.bad.test", "bad.test", "@"):
        assert not (await auth.mail(sender)).badmailfrom, sender
    await auth.admin.delete_badmailfrom("@bad.test")
    assert not (await auth.mail("x@bad.test")).badmailfrom


async def test_domain_local_says_whether_s16_has_to_ask_dns(auth):
    await auth.admin.add_domain("site.com")
    assert (await auth.mail("x@site.com")).domain_local
    assert (await auth.mail("x@SITE.com.")).domain_local
    for sender in ("", "x@far.test", "x@site.com ", "x", "site.com", "x@[192.0.2.1]", "\x00@site.com"):
        assert not (await auth.mail(sender)).domain_local, sender


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ({"sender_identity": "any"}, {"a@site.com", "b@site.com", "x@far.test", ""}),
        ({"sender_identity": "domain"}, {"a@site.com", "b@site.com", ""}),
        ({"sender_identity": "mailbox"}, {"a@site.com", ""}),
    ],
    indirect=["settings"],
)
@pytest.mark.parametrize("by", ["auth", "grant"])
async def test_the_sender_identity_setting_binds_logins_and_grants(auth, allowed, by):
    box = await auth.make("a@site.com")
    if by == "grant":
        await auth.login("a@site.com")
    login = box if by == "auth" else None
    for sender in ("a@site.com", "b@site.com", "x@far.test", ""):
        assert (await auth.mail(sender, login=login)).identity_allowed == (sender in allowed), sender
        assert (await auth.mail(sender, client="192.0.2.250")).identity_allowed  # a stranger's mail to us


async def test_a_grant_can_be_revoked_by_id(auth):
    box = await auth.make("a@site.com")
    await auth.login("a@site.com")
    (grant,) = await auth.admin.grants(mailbox="a%site.com")
    assert UUID(grant["mailbox_id"]) == box
    assert (grant["granted_at"], grant["expires_at"]) == ("2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z")
    await auth.admin.revoke_grant(grant["id"])
    assert await auth.admin.grants() == []


@pytest.mark.parametrize("settings", [{"open_smtp": False}], indirect=True)
async def test_switched_off_nothing_is_given_and_nothing_honoured(auth):
    """POSTRIDER_OPEN_SMTP=false: a cluster where clients' addresses cannot be known."""
    box = await auth.make("a@site.com")
    for protocol in ("pop3", "imap"):
        assert (await auth.login("a@site.com", protocol=protocol)).outcome == "ok"
    assert await auth.pool.fetchval("select count(*) from auth.grants") == 0
    await auth.pool.execute(  # given before it was switched off
        "insert into auth.grants (id, address, mailbox_id, granted_at, expires_at) values ($1, '192.0.2.7', $1, $2, $3)",
        box,
        auth.clock.now(),
        auth.clock.now() + timedelta(hours=1),
    )
    assert (await auth.rcpt("x@far.test")).verdict == "not_relayed"
    assert (await auth.mail("a@site.com")).relay is None
    assert (await auth.rcpt("x@far.test", login=box)).verdict == "accepted"


async def test_plans_made_while_the_tables_are_empty_are_good_when_they_are_full(auth):
    """The mail flow's sessions keep plans (`mailkit.postgres.pool.PLANNER`): every table is reached by an index."""
    async with auth.questions.acquire() as connection:
        assert await connection.fetchval("show plan_cache_mode") == "force_generic_plan"
        for name, statement in queries.items():
            given = ", ".join(["null"] * max(map(int, re.findall(r"\$(\d+)", statement)), default=0))
            await connection.execute(f"prepare asked as {statement}")
            rows = await connection.fetch(f"explain (costs off) execute asked{f'({given})' if given else ''}")
            await connection.execute("deallocate asked")
            plan = "\n".join(row[0] for row in rows)
            if name != "oldest_domain":  # looks at every domain
                assert not re.search(r"Join Filter|Seq Scan|hashed SubPlan", plan), f"{name}\n{plan}"
            if name == "senders":  # the sender's own grant by its key: all of the address have that in common
                assert "Index Cond: ((address = q.client) AND (mailbox_id = m.id))" in plan, plan


async def many_grants(auth, count, *, domain="'bulk.test'"):
    """`count` mailboxes that logged in from 192.0.2.7 at different moments."""
    await auth.pool.execute(
        "insert into auth.domains (id, name, created_at) values (gen_random_uuid(), 'bulk.test', $1) on conflict do nothing",
        auth.clock.now(),
    )
    await auth.pool.execute(
        "with m as (insert into auth.mailboxes (id, address, domain, quota_limit, created_at) "
        "select gen_random_uuid(), 'u' || n || '@bulk.test', 'bulk.test', 26214400, $2 "
        "from generate_series(1, $1::int) n on conflict do nothing returning id, address) "
        "insert into auth.grants (id, address, mailbox_id, granted_at, expires_at, domain) "
        f"select gen_random_uuid(), '192.0.2.7', id, $2, $2::timestamptz + random() * interval '1 hour', {domain} from m",
        count,
        auth.clock.now(),
    )
    await auth.pool.execute("analyze auth.mailboxes; analyze auth.grants")


async def pages_read(auth, sender):
    """What one MAIL question touches, in pages of 8 KB."""
    domain = sender.rpartition("@")[2]
    async with auth.questions.acquire() as connection:
        await connection.execute(f"prepare asked as {queries.senders}")
        found = await connection.fetchval(
            "explain (analyze, buffers, format json) execute asked (array[0], "
            f"array['{sender}'], array['{domain}'], array['192.0.2.7'], array[null::uuid], '{auth.clock.now()}')"
        )
        await connection.execute("deallocate asked")
    plan = json.loads(found)[0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


async def test_the_cost_of_a_question_does_not_grow_with_the_grants_of_its_address(auth):
    """5,000 customers behind one address stopped the list for a second."""
    for name in ("a@site.com", "b@site.com", "c@other.org"):
        await auth.make(name)
        await auth.login(name)
        auth.pass_time(1)
    senders = {"a@site.com": "a@site.com", "x@site.com": "b@site.com", "u1@bulk.test": "u1@bulk.test"}
    seen = []
    for count in (1000, 2000, 4000):
        await many_grants(auth, count)
        for sender, charged in senders.items():
            assert (await auth.mail(sender)).relay.address == charged
        assert (await auth.mail("x@far.test")).relay is not None
        seen.append([await pages_read(auth, sender) for sender in (*senders, "x@bulk.test", "x@far.test", "")])
    assert all(later <= first * 1.5 + 5 for row in zip(*seen, strict=True) for first, later in [(row[0], row[-1])]), (
        seen
    )
    assert max(seen[-1]) < 60, seen


async def test_grants_of_code_before_the_migration_count_for_their_own_mailboxes_and_as_the_latest(auth):
    await auth.make("a@site.com")
    await auth.login("a@site.com")
    auth.pass_time(1)
    await auth.make("c@other.org")
    await auth.login("c@other.org")
    await auth.pool.execute("update auth.grants set domain = null")
    for sender, charged in [("x@site.com", "c@other.org"), ("x@far.test", "c@other.org"), ("a@site.com", "a@site.com")]:
        assert (await auth.mail(sender)).relay.address == charged
    await auth.login("a@site.com")
    assert await auth.pool.fetchval("select domain from auth.grants where domain is not null") == "site.com"
