"""The history of finished recipients: what its rows leave out is shown all the same, and how large they are (docs/decisions/0080)."""

from dataclasses import replace
from datetime import UTC, datetime

from mailkit.ids import new_id
from queue_worker.models import Outcome

TLS = "TLSv1.3 TLS_AES_256_GCM_SHA384 not verified"
CONNECTION = f"192.0.2.25 {TLS}"
REPLY = "250 2.0.0 Ok: queued as 4WxYz12AbCdE"


def answering(world, says=lambda address: None, connection=CONNECTION):
    """Let remote hosts answer as they do, over a connection with TLS."""
    world.sink.says = says
    deliver = world.sink.deliver

    async def as_found(domain, messages, report, *more):
        def told(results):
            report(
                [
                    replace(r, connection=connection, remote_host="mx1.example.com")
                    if r.outcome is not Outcome.delivered
                    else replace(r, connection=connection, remote_host="mx1.example.com", text=REPLY)
                    for r in results
                ]
            )

        await deliver(domain, messages, told, *more)

    world.sink.deliver = as_found


async def test_what_a_row_leaves_out_is_shown(world, admin):
    answering(world, lambda address: (Outcome.failed, "5.1.1", "550 no") if address.startswith("no") else None)
    recipients = ("b@far.test", "no@far.test", world.mailbox("m@here.test", original="alias@here.test"))
    (answer,) = await world.submit(world.message(*recipients, sender=""))
    await world.work()
    assert {(row["original"], row["status"]) for row in await world.rows("ended")} == {
        ("", ""),
        ("", "5.1.1"),
        ("alias@here.test", ""),
    }
    shown = await admin.show_message(answer.queue_id.hex)
    remote, failed, local = shown["recipients"]
    assert shown["sender"] == "" and datetime.fromisoformat(shown["first_seen"]) == world.clock.now()
    assert (remote["address"], remote["original"], remote["kind"]) == ("b@far.test", "b@far.test", "remote")
    assert (remote["status"], remote["reply"], remote["tries"]) == ("2.0.0", REPLY, 1)
    assert (failed["state"], failed["status"], failed["reply"]) == ("failed", "5.1.1", "550 no")
    assert (local["original"], local["kind"], local["status"]) == ("alias@here.test", "local", "2.0.0")
    assert (local["reply"], local["remote_host"]) == ("filed", None)
    events = {event["n"]: event for event in shown["trace"]["events"] if event["n"] is not None}
    assert [events[n]["connection"] for n in range(3)] == [CONNECTION, CONNECTION, None]
    assert [row["facts"] for row in await world.pool.fetch("select facts from queue.tls")] == [TLS]


async def test_policies_of_other_domains_are_no_rows_of_the_dictionary(world, admin):
    """Its numbers would run out, and no attempt could be recorded any more."""
    for number in range(3):
        connection = f"{CONNECTION} (mta-sts: policy {number} of far.test)"
        answering(world, connection=connection)
        (answer,) = await world.submit(world.message("b@far.test"))
        await world.work()
        events = (await admin.show_message(answer.queue_id.hex))["trace"]["events"]
        assert [event["connection"] for event in events if event["n"] is not None] == [connection]
    assert [row["facts"] for row in await world.pool.fetch("select facts from queue.tls")] == [TLS]


async def test_a_full_dictionary_stops_no_record(world):
    await world.pool.execute("insert into queue.tls (facts) select n::text from generate_series(1, 1000) n")
    answering(world)
    await world.submit(world.message("b@far.test"))
    await world.work()
    assert [(row["remote_address"], row["tls"]) for row in await world.rows("ended")] == [("192.0.2.25", 0)]


async def test_operators_views_say_what_they_said(world):
    answering(world)
    await world.submit(world.message("b@far.test", sender="a@sender.test"))
    await world.work()
    row = dict(await world.pool.fetchrow("select * from queue.mail_trace where event = 'delivered'"))
    known = {name: value for name, value in row.items() if value is not None and name not in ("queue_id", "at")}
    assert known == {
        "n": 0,
        "event": "delivered",
        "sender": "a@sender.test",
        "recipient": "b@far.test",
        "status": "2.0.0",
        "reply": REPLY,
        "remote_host": "mx1.example.com",
        "connection": CONNECTION,
    }
    row = await world.pool.fetchrow("select outcome, status, reply, remote_host from queue.mail_attempts")
    assert tuple(row) == ("delivered", "2.0.0", REPLY, "mx1.example.com")


async def test_rows_of_the_release_before_are_shown(world, admin):
    """It goes on to write queue.finished while a rollout lasts."""
    queue_id, at = new_id(), datetime(2026, 3, 1, tzinfo=UTC)
    await world.pool.execute(
        "insert into queue.finished values ($1, 0, 'a@sender.test', 'b@far.test', 'b@far.test', null, 'delivered', '2.0.0', '250 ok', "
        "'mx.far.test', 2, 1, $2, $2, $3)",
        queue_id,
        at,
        CONNECTION,
    )
    shown = await admin.show_message(queue_id.hex)
    (recipient,) = shown["recipients"]
    assert (shown["sender"], recipient["kind"], recipient["tries"]) == ("a@sender.test", "remote", 2)
    row = await world.pool.fetchrow(
        "select sender, recipient, connection from queue.mail_trace where event = 'delivered'"
    )
    assert tuple(row) == ("a@sender.test", "b@far.test", CONNECTION)


async def test_a_recipient_takes_at_most_150_octets(world):
    """Half of them local, half with the reply, host and TLS of a remote host."""
    answering(world)
    names = [f"recipient{n}@customer.example" for n in range(100)]
    local = [world.mailbox(name) for name in names]
    for _ in range(4):
        await world.submit(world.message(*names, sender="sender@customer.example"), world.message(*local))
    await world.work()
    size, row, count = await world.pool.fetchrow(
        "select pg_relation_size('queue.ended_rest'), avg(pg_column_size(e.*)), count(*) from queue.ended e"
    )
    assert count == 800 and size / count <= 150 and row <= 140
