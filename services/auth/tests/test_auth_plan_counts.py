"""What a plan counts of a domain, and its quotas: compared in the transaction that adds (docs/decisions/0114)."""

import asyncio

import pytest

from auth.limits import NO_QUOTA
from mailkit.errors import BadRequest, Conflict

MB = 1 << 20


@pytest.fixture
async def limited(auth):
    """`limited(field=…)`: sets the plan of site.com's customer."""
    await auth.admin.add_plan("small", {})
    await auth.admin.add_customer("a", "small")
    await auth.admin.add_domain("site.com", customer="a")
    await auth.admin.add_domain("own.com")

    async def set_limits(**limits):
        await auth.admin.set_plan("small", limits)
        return auth.admin

    return set_limits


async def test_mailboxes(limited):
    admin = await limited(mailboxes=2)  # postmaster's is one
    await admin.add_mailbox("a@site.com")
    with pytest.raises(Conflict, match="plan small allows site.com 2 mailboxes, and this needs 3"):
        await admin.add_mailbox("b@site.com")
    with pytest.raises(Conflict, match="exists already"):
        await admin.add_mailbox("a@site.com")
    for name in "abc":
        await admin.add_mailbox(f"{name}@own.com")
    await limited(mailboxes=None)
    await admin.add_mailbox("b@site.com")
    await limited(mailboxes=0)
    await admin.set_quota("b@site.com", 50 * MB)  # what is there stays, and may be changed


async def test_no_two_at_once_pass_a_limit(limited):
    admin = await limited(mailboxes=6, forwards=5, groups=4)
    for kind, most, make in (
        ("mailboxes", 5, lambda n: admin.add_mailbox(f"m{n}@site.com")),
        ("forwards", 5, lambda n: admin.add_forward(f"f{n}@site.com", ["x@far.test"])),
        ("groups", 4, lambda n: admin.set_forward(f"g{n}@site.com", ["postmaster@site.com"])),
    ):
        made = await asyncio.gather(*(make(n) for n in range(12)), return_exceptions=True)
        assert sum(isinstance(each, dict) for each in made) == most, kind
        assert all(isinstance(each, dict | Conflict) for each in made), made


async def test_forwards_and_groups_are_counted_apart(limited):
    admin = await limited(forwards=1, groups=1)
    await admin.add_forward("far@site.com", ["postmaster@site.com", "X@Far.test"])
    await admin.add_forward("near@site.com", ["Postmaster@Site.com"])
    with pytest.raises(Conflict, match="1 forwards, and this needs 2"):
        await admin.add_forward("far2@site.com", ["x@own.com"])
    with pytest.raises(Conflict, match="1 aliases and groups"):
        await admin.set_forward("near2@site.com", ["postmaster@site.com"])
    with pytest.raises(Conflict, match="1 forwards"):
        await admin.set_forward("near@site.com", ["x@far.test"])
    await limited(forwards=0)
    await admin.set_forward("far@site.com", ["y@far.test"])  # stays one of its kind
    assert [each["targets"] for each in await admin.forwards("site.com")] == [["y@far.test"], ["Postmaster@site.com"]]


async def test_the_quotas_of_a_domain_together(limited):
    admin = await limited(domain_quota=1200 * MB)
    await admin.add_mailbox("a@site.com", quota_limit=100 * MB)
    with pytest.raises(Conflict, match="bytes in the quotas of its mailboxes together"):
        await admin.add_mailbox("b@site.com", quota_limit=100 * MB)
    with pytest.raises(Conflict):
        await admin.set_quota("a@site.com", 200 * MB)
    assert (await admin.mailbox("a@site.com"))["quota_limit"] == 100 * MB
    await admin.set_quota("a@site.com", 176 * MB)
    await limited(quota_most=0)
    with pytest.raises(Conflict):
        await admin.set_quota("a@site.com", 0)


async def test_the_messages_of_a_domain_together(limited):
    admin = await limited(domain_messages=2500, messages=1000)
    await admin.add_mailbox("a@site.com")
    with pytest.raises(Conflict, match="2500 messages in its mailboxes together, and this needs 3000"):
        await admin.add_mailbox("b@site.com")


async def test_the_quota_of_new_mailboxes(limited, auth):
    admin = await limited(quota=40 * MB)
    assert (await admin.add_mailbox("a@site.com"))["quota_limit"] == 40 * MB
    assert (await admin.add_mailbox("a@own.com"))["quota_limit"] == 1024 * MB
    await admin.add_domain("more.com", customer="a")
    assert (await admin.mailbox("postmaster@more.com"))["quota_limit"] == 40 * MB
    await limited(quota=0)
    assert (await admin.add_mailbox("b@site.com"))["quota_limit"] == 0
    assert await auth.pool.fetchval("select quota_limit from auth.mailboxes where address = 'b@site.com'") == NO_QUOTA
    assert (await auth.rcpt("b@site.com")).targets[0].quota_limit == NO_QUOTA


async def test_the_largest_quota(limited):
    admin = await limited(quota_most=50 * MB)
    await admin.add_mailbox("a@site.com", quota_limit=50 * MB)
    for most, given in ((50 * MB, 51 * MB), (5000 * MB, 5001 * MB), (None, 2049 * MB), (None, 24 * MB), (None, 0)):
        await limited(quota_most=most)
        with pytest.raises(BadRequest):
            await admin.set_quota("a@site.com", given)
        with pytest.raises(BadRequest):
            await admin.add_mailbox("b@site.com", quota_limit=given)
    for most, given in ((5000 * MB, 5000 * MB), (0, 10**12), (0, 0)):
        await limited(quota_most=most)
        assert (await admin.set_quota("a@site.com", given))["quota_limit"] == given
    with pytest.raises(BadRequest):
        await admin.set_quota("a@site.com", NO_QUOTA)


@pytest.mark.parametrize("settings", [{"quota_least_mb": 1, "quota_most_mb": 0, "quota_default_mb": 3}], indirect=True)
async def test_the_bounds_are_settings(auth):
    await auth.admin.add_domain("site.com")
    assert (await auth.admin.add_mailbox("a@site.com"))["quota_limit"] == 3 * MB
    for given in (MB, 5000 * MB, 0):
        assert (await auth.admin.set_quota("a@site.com", given))["quota_limit"] == given
    with pytest.raises(BadRequest, match="from 1 MB"):
        await auth.admin.set_quota("a@site.com", MB - 1)
