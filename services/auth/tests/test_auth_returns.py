"""Senders of forwarded mail: who gets one, and where bounces to it go (docs/decisions/0093)."""

import random
from datetime import timedelta

import pytest

from auth.config import AuthSettings
from auth_api import wire
from mailauth import srs
from mailkit.errors import ConfigError

OURS = {"srs_domain": "srs.test"}


async def sender(auth, mail_from="joe@Sender.Test", to="f@site.com", **more):
    """The sender of the copy that a forward sends elsewhere; "" for the message's own."""
    (target,) = (await auth.rcpt(to, mail_from=mail_from, **more)).targets
    return target.sender


@pytest.fixture
async def forward(auth):
    """`f@site.com` leads elsewhere; returns the id of a mailbox of its domain."""
    box = await auth.make("a@site.com")
    await auth.admin.add_forward("f@site.com", ["x@far.test"])
    return box


async def test_a_forward_to_elsewhere_gets_a_sender_whose_bounces_come_back(auth, forward):
    made = await sender(auth)
    assert made.startswith("SRS0=") and made.endswith("=sender.test=joe@srs.test")
    for client in ("192.0.2.7", None):
        answer = await auth.rcpt(made, client=client)
        assert (answer.verdict, answer.targets) == ("accepted", [wire.Target("joe@sender.test", via=made)])
    assert (await auth.rcpt(made.lower())).targets[0].address == "joe@sender.test"


async def test_what_keeps_its_sender(auth, forward):
    assert await sender(auth, "") == ""  # our bounces and other hosts'
    assert await sender(auth, "b@site.com", login=forward) == ""  # a customer's own mail
    assert await sender(auth, await sender(auth)) == ""  # it was forwarded here before
    await auth.admin.add_forward("both@site.com", ["a@site.com", "x@far.test"])
    local, remote = (await auth.rcpt("both@site.com", mail_from="joe@sender.test")).targets
    assert local.sender == "" and remote.sender.startswith("SRS0=")
    assert (await auth.rcpt("x@far.test", mail_from="joe@sender.test", login=forward)).targets == [
        wire.Target("x@far.test")
    ]


async def test_a_stranger_with_a_local_sender_is_not_vouched_for(auth, forward):
    assert (await sender(auth, "b@site.com")).startswith("SRS0=")
    assert (await sender(auth, "joe@sender.test", login=forward)).startswith("SRS0=")


async def test_the_sender_of_another_forwarder_leads_back_to_it(auth, forward):
    made = await sender(auth, "SRS0=abcd=GH=a.test=joe@other.test")
    assert made.startswith("SRS1=") and made.endswith("=other.test==abcd=GH=a.test=joe@srs.test")
    assert (await auth.rcpt(made)).targets[0].address == "SRS0=abcd=GH=a.test=joe@other.test"


async def test_a_bounce_to_a_local_sender_is_filed(auth, forward):
    made = await sender(auth, "a@site.com")
    assert (await auth.rcpt(made)).targets[0].mailbox_id == forward
    made = await sender(auth, "nobody@site.com")
    assert (await auth.rcpt(made)).verdict == "no_mailbox"


async def test_for_21_days_and_no_longer_also_when_the_keys_are_replaced(auth, forward):
    made = await sender(auth)
    keys = set()
    for _ in range(21):
        auth.pass_time(86400)
        await auth.parts.maintenance.run()
        keys.add((await sender(auth))[5:15])
        assert (await auth.rcpt(made)).verdict == "accepted"
    auth.pass_time(86400)
    assert (await auth.rcpt(made)).verdict == "no_mailbox"
    assert len(keys) == 21


async def test_keys_are_replaced_after_thirty_days_and_removed_after_their_addresses(auth, forward):
    async def held():
        return await auth.pool.fetch("select value from auth.srs_keys order by made_at")

    await auth.pool.execute("update auth.srs_keys set made_at = $1", auth.clock.current - timedelta(days=1))
    (first,) = await held()
    auth.pass_time(29 * 86400 + 60)
    await auth.parts.maintenance.run()
    assert await held() == [first, (await held())[1]]
    made = await sender(auth)
    assert srs.original(
        made.rpartition("@")[0], [first["value"]], now=auth.clock.timestamp()
    )  # others may not know it yet
    auth.pass_time(660)
    second = (await held())[1]["value"]
    made = await sender(auth)
    assert srs.original(made.rpartition("@")[0], [second], now=auth.clock.timestamp())
    auth.pass_time(23 * 86400)
    await auth.parts.maintenance.run()
    assert [row["value"] for row in await held()] == [second]


async def test_none_of_the_forged_ones_is_accepted(auth, forward):
    """Mutations by the thousand are in libs/mailauth; these pass through the service."""
    made = await sender(auth)
    dice = random.Random(5)
    forged = ["SRS0=@srs.test", "SRS0=x=y=z=joe@srs.test", "SRS1=x=y==z@srs.test", "SRS0=AAAA=AA=a.test=joe@srs.test"]
    for _ in range(90):
        at = dice.randrange(5, made.index("@"))
        other = dice.choice("abcdefghij0123456789=")
        forged.append(made[:at] + other + made[at + 1 :])
    forged = [each for each in forged if each.lower() != made.lower()]
    answers = await auth.gateway.recipients([wire.RecipientQuestion(each, "", "192.0.2.7", None) for each in forged])
    assert {answer.verdict for answer in answers} == {"no_mailbox"}
    assert (await auth.rcpt("joe@srs.test")).verdict == "not_relayed"


@pytest.mark.parametrize("settings", [OURS | {"returned_per_hour": 3, "forwarded_per_hour": 2}], indirect=True)
async def test_bounces_to_one_sender_are_capped_by_the_hour(auth, forward):
    made, other = await sender(auth), await sender(auth, "eve@sender.test")

    async def said(address):
        return (await auth.rcpt(address)).verdict

    assert [await said(made) for _ in range(4)] == ["accepted"] * 3 + ["too_many"]
    assert await said(other) == "accepted"
    auth.pass_time(3600)
    assert await said(made) == "accepted"


@pytest.mark.parametrize("settings", [OURS | {"srs_classic_keys": "tops3cr3t, other"}], indirect=True)
async def test_bounces_to_a_replaced_forwarders_addresses_are_returned(auth):
    classic = srs.rewrite("joe@a.test", "srs.test", b"tops3cr3t", now=auth.clock.timestamp(), form=srs.CLASSIC)
    assert (await auth.rcpt(classic)).targets[0].address == "joe@a.test"
    unknown = srs.rewrite("joe@a.test", "srs.test", b"unknown", now=auth.clock.timestamp(), form=srs.CLASSIC)
    assert (await auth.rcpt(unknown)).verdict == "no_mailbox"


@pytest.mark.parametrize(
    "settings", [{"srs_domain": "none"}, {"srs_domain": "", "helo_name": "localhost"}], indirect=True
)
async def test_without_a_domain_mail_keeps_its_sender(auth, forward):
    assert await sender(auth) == ""


def test_a_malformed_domain_is_refused_and_a_host_s_odd_name_is_none() -> None:
    assert AuthSettings(helo_name="my host.local").returns_domain == ""
    assert AuthSettings(helo_name="MX.Here.Test").returns_domain == "mx.here.test"
    with pytest.raises(ConfigError, match="POSTRIDER_SRS_DOMAIN"):
        _ = AuthSettings(srs_domain="not a domain").returns_domain


async def test_a_sender_of_ours_counts_as_local_so_that_a_bounce_to_it_is_led_on(auth, forward):
    """A provider that forwards back to us without SRS of its own: by MX, the bounce came to ourselves and was lost."""
    made = await sender(auth)
    assert (await auth.mail(made)).domain_local
    assert not (await auth.mail("joe@srs.test")).domain_local, "the domain has no other addresses"
    question = wire.RecipientQuestion(made, "", None, None)
    for _ in range(3):
        (answer,) = await auth.gateway.uncharged_recipients([question])
        assert [each.address for each in answer.targets] == ["joe@sender.test"]
