"""The trace: who sent a message, how it came, each attempt and its end, from the transactions that changed its state."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from mailkit.ids import new_id
from queue_worker.models import Outcome
from queue_worker.operators import refusals, trace
from queue_worker_api.admin import QueueAdmin
from queue_worker_api.client import QueueClient
from queue_worker_api.wire import MailVerdict, Origin, Refusal, Stamp

from .conftest import RecordingCourier

ANNA = "0198f0c0-0000-7000-8000-00000000000a"
CAME = Origin("submission", "TLSv1.3 with cipher AES", "client.test", "grant", "anna@here.test", 1_772_362_800.0)
HEADER = b"Message-ID: <one@client.test>\r\nSubject: hello\r\n\r\nHello.\r\n"


async def traced(admin: QueueAdmin, **wanted: Any) -> list[dict[str, Any]]:
    return [record async for page in admin.trace(**wanted) for record in page]


def told(record: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(e["event"], e["n"], e["reply"]) for e in record["events"]]


async def test_the_story_of_a_message_from_its_client_to_its_bounce(world, admin):
    queue_id = await world.deferred(
        "b@far.test",
        "c@far.test",
        sender="anna@here.test",
        body=HEADER,
        origin=CAME,
        account=ANNA,
        client_address="192.0.2.1",
    )
    (record,) = await traced(admin, id=[queue_id])
    assert (await admin.show_message(queue_id))["trace"] == record
    assert told(record) == [
        ("accepted", None, None),
        ("deferred", 0, "450 try later"),
        ("deferred", 1, "450 try later"),
        ("waiting", 0, "450 try later"),
        ("waiting", 1, "450 try later"),
    ]
    world.sink.says = lambda address: (Outcome.failed, "5.1.1", "550 no such user") if address[0] == "b" else None
    world.pass_time(1000)
    await world.work()
    (record,) = await traced(admin, id=[queue_id])
    assert told(record)[1:] == [
        ("deferred", 0, "450 try later"),
        ("deferred", 1, "450 try later"),
        ("failed", 0, "550 no such user"),
        ("delivered", 1, "250 ok"),
    ]
    assert await world.rows("message") == [] or len(await world.rows("message")) == 1, (
        "it has left; its bounce may wait"
    )
    assert record | {"events": []} == {
        "id": queue_id,
        "at": "2026-03-01T12:00:00Z",
        "sender": "anna@here.test",
        "size": len(HEADER),
        "by": "grant",
        "account": ANNA,
        "account_address": "anna@here.test",
        "granted_at": "2026-03-01T11:00:00Z",
        "client_address": "192.0.2.1",
        "listener": "submission",
        "tls": "TLSv1.3 with cipher AES",
        "helo": "client.test",
        "message_id": "one@client.test",
        "bounce_of": None,
        "verdicts": [],
        "events": [],
    }
    bounce, original = await traced(admin, address="anna@here.test")
    assert (bounce["bounce_of"], original["id"]) == (queue_id, queue_id)


async def test_messages_are_found_by_account_message_id_address_client_and_host(world, admin, monkeypatch):
    monkeypatch.setattr(trace, "WINDOW", 2)  # by anything but account and Message-ID, page by page
    await world.worker().maintenance.hour()
    more = {"body": HEADER, "account": ANNA, "client_address": "192.0.2.1"}
    one = await world.deferred("b@far.test", sender="anna@here.test", origin=CAME, **more)
    others = [await world.deferred(f"{n}@other.test", client_address="192.0.2.2") for n in range(4)]
    for wanted in (
        {"account": ANNA},
        {"message_id": "one@client.test"},
        {"address": "B@far.test"},
        {"address": "anna@here.test"},
        {"client": "192.0.2.1"},
        {"by": "grant"},
        {"account": ANNA, "by": "grant", "newer": 10**9},
        {"account": ANNA, "address": "b@far.test", "client": "192.0.2.1", "host": "mx.far.test"},
    ):
        assert [record["id"] for record in await traced(admin, **wanted)] == [one], wanted
    assert await traced(admin, account=ANNA, address="x@far.test") == []
    assert [r["id"] for r in await traced(admin, client="192.0.2.2", limit=1)] == others[::-1]
    assert len(await traced(admin, host="mx.far.test")) == 5
    assert await traced(admin, newer=0) == []
    assert len(await traced(admin, newer=86_400)) == 5
    rows = await world.pool.fetch(
        "select queue_id, event from queue.mail_trace where event = 'accepted' order by queue_id"
    )
    assert [row["queue_id"].hex for row in rows] == [one, *others]


async def test_what_code_before_the_trace_accepted_is_shown_without_a_sender(world, admin):
    (answer,) = await world.submit(world.message("b@far.test"))
    await world.pool.execute("update queue.submission set at = null, mail_from = null, by = null")
    (record,) = await traced(admin, id=[answer.queue_id.hex])
    assert (record["at"], record["sender"], record["by"]) == (None, None, None)
    assert [event["event"] for event in record["events"]] == ["accepted", "waiting"]


async def test_each_attempt_has_the_connection_that_it_was_made_by(world, admin):
    plain, secure = "192.0.2.1 without TLS", "192.0.2.1 TLSv1.3 TLS_AES_256_GCM_SHA384 not verified"
    connections = [plain, secure]

    class Courier(RecordingCourier):
        async def deliver(self, domain, messages, report, relay=None, admit=None):
            facts = connections.pop(0)
            await super().deliver(domain, messages, lambda found: report([replace(r, connection=facts) for r in found]))

    courier = Courier()
    courier.says, world.sink = world.sink.says, courier
    queue_id = await world.deferred("b@far.test")
    world.sink.says = lambda address: None
    world.pass_time(1000)
    await world.work()
    (record,) = await traced(admin, id=[queue_id])
    assert [(e["event"], e["connection"]) for e in record["events"][1:]] == [("deferred", plain), ("delivered", secure)]
    rows = await world.pool.fetch("select connection from queue.mail_trace where connection is not null order by at")
    assert [row["connection"] for row in rows] == [plain, secure]


DMARC = MailVerdict("dmarc", "fail", "far.test", "no aligned domain", "v=DMARC1; p=reject", "_dmarc.far.test")


async def test_what_was_found_out_about_a_message_is_traced(world, admin):
    stamp = Stamp([DMARC, MailVerdict("spf", "none", "far\0.test")], dmarc_failed=True)
    queue_id = await world.deferred("b@far.test", stamp=stamp)
    (record,) = await traced(admin, id=[queue_id])
    assert [(e["method"], e["record"], e["record_name"]) for e in record["verdicts"]] == [
        ("dmarc", "v=DMARC1; p=reject", "_dmarc.far.test"),
        ("spf", "", ""),
    ]
    (row,) = await world.pool.fetch("select verdicts from queue.mail_trace where event = 'accepted'")
    assert '"no aligned domain"' in row["verdicts"]
    assert (await world.the("message"))["dmarc_failed"]


async def refused(admin: QueueAdmin, **wanted: Any) -> list[dict[str, Any]]:
    return [record async for page in admin.refusals(**wanted) for record in page]


async def test_refusals_are_recorded_once_and_found_by_what_is_known_of_them(world, admin, monkeypatch):
    monkeypatch.setattr(refusals, "WINDOW", 2)
    await world.worker().maintenance.hour()
    one = Refusal(
        new_id(),
        "S10",
        "550 5.7.1 Sorry\0",
        "RCPT",
        "192.0.2.1",
        CAME,
        UUID(ANNA),
        "Anna@here.test",
        ["Victim@far.test", 'a,"{b}@far.test'],
        1,
        1234,
        verdicts=[DMARC],
    )
    others = [Refusal(new_id(), "S14", "550 5.1.1 no", "RCPT", f"192.0.2.{n}", Origin("smtp")) for n in range(2, 6)]
    more = Refusal(new_id(), "S12", times=70)
    gateway = QueueClient(admin.url, "gateway-token")
    for _ in range(2):
        await gateway.record_refusals([one, *others, more])
    await gateway.aclose()
    assert [(r["rule"], r["times"]) for r in await refused(admin)] == [("S12", 70), *[("S14", 1)] * 4, ("S10", 1)]
    for wanted in (
        {"account": ANNA},
        {"address": "anna@here.test"},
        {"address": "victim@FAR.test"},
        {"address": 'a,"{b}@far.test'},
        {"client": "192.0.2.1"},
        {"rule": "S10"},
        {"account": ANNA, "rule": "S10", "client": "192.0.2.1", "newer": 3600},
    ):
        assert [UUID(r["id"]) for r in await refused(admin, **wanted)] == [one.id], wanted
    assert await refused(admin, account=ANNA, rule="S14") == await refused(admin, older=3600) == []
    (record,) = await refused(admin, rule="S10")
    assert record["reply"] == "550 5.7.1 Sorry " and record["verdicts"][0]["record"] == DMARC.record
    assert (record["sender"], record["recipients"][0], record["size"]) == ("Anna@here.test", "Victim@far.test", 1234)
    assert (record["helo"], record["by"], record["account_address"]) == ("client.test", "grant", "anna@here.test")
    seen = await world.pool.fetchval("select count(*) from queue.mail_refusals where rule = 'S14'")
    assert seen == 4
