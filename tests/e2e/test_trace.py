"""The trace of mixed transactions: each refusal with its rule and exact reply, each message with all that happened to it, in order."""

import os
from typing import Any

from tests.support.clients import imap, smtp
from tests.support.mail import message
from tests.support.run import Account, Run, wait_for
from tests.support.world import Remote, World

#: Transactions; a longer run may have 1,000.
TRANSACTIONS = int(os.environ.get("POSTRIDER_TEST_TRACED", "24"))
#: Those of one round.
ROUND = 12
Refused = list[tuple[str, str, str]]


def _refused(run: Run, world: World, n: int, domain: str) -> Refused:
    """Have six commands refused, from a network of their own; (rule, an address, the reply) of each."""
    found: Refused = []
    with smtp(run, f"127.1.{n % 250}.9") as client:

        def note(rule: str, address: str, reply: tuple[int, bytes]) -> None:
            found.append((rule, address, f"{reply[0]} {reply[1].decode()}"))
            client.rset()

        sender = f"n{n}@{world.far_domain}"
        client.mail(sender)
        note("S10", f"x{n}@far-{domain}", client.rcpt(f"x{n}@far-{domain}"))
        client.mail(sender)
        note("S14", f"nobody{n}@{domain}", client.rcpt(f"nobody{n}@{domain}"))
        note("S16", f"n{n}@gone-{domain}", client.mail(f"n{n}@gone-{domain}"))
        note("S12", f"n{n}@bad-{domain}", client.mail(f"n{n}@bad-{domain}"))
        note("S7", f"n{n}-large@{domain}", client.docmd("MAIL", f"FROM:<n{n}-large@{domain}> SIZE=99000000"))
        client.mail(f"n{n}-bare@{domain}")
        client.rcpt(f"box@{domain}")
        client.docmd("DATA")
        client.send(b"Subject: x\r\n\r\nbare\nline\r\n.\r\n")
        note("content", f"n{n}-bare@{domain}", client.getreply())
    return found


def _accepted(run: Run, n: int, user: Account, remote: Remote) -> dict[str, str]:
    """Have six messages accepted; their queue ids by what is to become of them."""
    found = {}
    for fate, recipient in (
        ("filed", f"box@{user.domain}"),
        ("forwarded", f"forward@{user.domain}"),
        ("delivered", f"good{n}@{remote.domain}"),
        ("deferred", f"later{n}@{remote.domain}"),
        ("bounced", f"bad{n}@{remote.domain}"),
        ("mixed", f"mixed{n}@{remote.domain}"),
    ):
        with smtp(run, "127.1.251.9", "SUBMISSION", login=user) as client:
            client.mail(user.address)
            assert client.rcpt(recipient)[0] == 250
            if fate == "mixed":
                assert client.rcpt(f"box@{user.domain}")[0] == 250
            code, text = client.data(message(user.address, recipient))
            assert code == 250, text
            found[fate] = text.decode().rpartition(" ")[2]
    return found


def _says(address: str) -> list[str] | None:
    if address.startswith("later"):
        return ["451 4.7.1 come back later"]
    return ["550 5.1.1 no such user"] if address.startswith("bad") else None


def _events(record: dict[str, Any]) -> list[str]:
    return [event["event"] for event in record["events"]]


def test_mixed_transactions_are_all_there_in_order_with_rule_and_reply(run: Run, world: World) -> None:
    domain = run.domain()
    user, box = run.mailbox(domain), run.mailbox(domain, "box")
    remote = world.remote()
    remote.sink.behaviour.rcpt = _says
    run.cli("forward", "add", f"forward@{domain}", f"other@{remote.domain}")
    run.cli("badmailfrom", "add", f"@bad-{domain}")
    rounds = range(max(TRANSACTIONS // ROUND, 1))
    refused: Refused = []

    def listed() -> bool:
        with smtp(run, "127.1.252.9") as client:
            return client.mail(f"first@bad-{domain}")[0] == 554

    wait_for(listed, 10, "badmailfrom is in force")
    accepted = [_accepted(run, n, user, remote) for n in rounds]
    for n in rounds:
        refused += _refused(run, world, n, domain)

    def found() -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = run.cli("trace", "--since", "1h", "--limit", "100000")
        return records

    # -- what was refused
    def refusals() -> dict[tuple[str, str], str]:
        records = [r for r in found() if r["kind"] == "refusal"]
        return {(r["rule"], a): r["reply"] for r in records for a in (*r["recipients"], r["sender"])}

    wait_for(lambda: {(rule, address) for rule, address, _ in refused} <= refusals().keys(), 30, "all are traced")
    replies = refusals()
    assert [(rule, address, replies[rule, address]) for rule, address, _ in refused] == refused

    # -- what was accepted
    client = imap(run, box)
    wait_for(lambda: int(client.select("INBOX")[1][0] or b"0") == 2 * len(rounds))  # type: ignore[arg-type]
    assert client.fetch("1:*", "(RFC822)")[0] == "OK"
    client.store("1:*", "+FLAGS", "\\Deleted")
    client.expunge()
    expected = {
        "filed": ["accepted", "filed", "delivered", "fetched", "deleted"],
        "forwarded": ["accepted", "delivered"],
        "delivered": ["accepted", "delivered"],
        "deferred": ["accepted", "deferred", "waiting"],
        "bounced": ["accepted", "failed"],
        "mixed": ["accepted", *sorted(["filed", "delivered", "delivered", "fetched", "deleted"])],
    }

    def stories() -> dict[str, dict[str, Any]]:
        return {r["id"]: r for r in found() if r["kind"] == "message"}

    def complete() -> bool:
        records = stories()
        return all(
            len(records[queue_id]["events"]) >= len(expected[fate]) and "claimed" not in _events(records[queue_id])
            for ids in accepted
            for fate, queue_id in ids.items()
        )

    wait_for(complete, 60, "every message's story is complete")
    records = stories()
    bounces = {r["bounce_of"]: r for r in records.values()}
    for ids in accepted:
        for fate, queue_id in ids.items():
            record = records[queue_id]
            assert (record["account_address"], record["by"]) == (user.address, "auth")
            events = _events(record)
            if fate == "mixed":
                assert events[0] == "accepted" and sorted(events[1:]) == expected[fate][1:]
                assert events[-2:] == ["fetched", "deleted"] or "delivered" in events[-2:]
            else:
                assert events == expected[fate], fate
        said = {fate: " ".join(e["reply"] or "" for e in records[ids[fate]]["events"] if "reply" in e) for fate in ids}
        assert "451 4.7.1 come back later" in said["deferred"] and "550 5.1.1 no such user" in said["bounced"]
        assert records[ids["forwarded"]]["events"][1]["recipient"] == f"other@{remote.domain}"
        for fate in ("forwarded", "delivered", "deferred", "bounced"):
            connection = records[ids[fate]]["events"][1]["connection"]
            assert connection == f"{remote.sink.address} without TLS", (fate, connection)
        assert bounces[ids["bounced"]]["events"][0]["event"] == "accepted"
    deleted = records[accepted[0]["filed"]]["events"][-1]
    assert (deleted["folder"], deleted["protocol"]) == ("INBOX", "imap")
    kinds = {r["kind"] for r in run.cli("trace", "--account", user.address, "--limit", "100000")}
    assert {"message", "account"} <= kinds
    who = run.cli_process("trace", "--who", f"id {accepted[0]['bounced']}").stdout
    assert who.count("\n") == 1 and user.address in who
