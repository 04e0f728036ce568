"""Records of the trace as lines for people: who, what, when, and why."""

import json
from collections.abc import Iterator
from datetime import datetime

from postrider.commands.common import Record

_RIGHTS = {"auth": "SMTP AUTH", "grant": "OPEN-SMTP"}
#: Rules of docs/contract.md in a few words.
WHY = {
    "S1": "to mailboxes of ours from anywhere",
    "S2": "the client's address had a grant",
    "S3": "the client authenticated by SMTP AUTH, or should have",
    "S7": "larger than the limit",
    "S10": "neither a mailbox of ours nor a right to relay",
    "S12": "the sender is in badmailfrom",
    "S14": "no such mailbox",
    "S16": "the sender's domain has no mail server, or cannot be looked up",
    "P2": "the mailbox is full",
    "spam": "the scanner rejects it",
    "dmarc": "it fails the DMARC policy of the domain in From",
}


#: Seconds by which the clocks of two services may differ, since each follows the database's.
_CLOCKS = 0.05
#: Events that say where a recipient is now: they come last.
_NOW = ("waiting", "claimed", "held")


def moment(record: Record) -> float:
    """Return when it was, in seconds since the epoch; 0 if that is not known."""
    return datetime.fromisoformat(record["at"]).timestamp() if record["at"] else 0.0


def place(event: Record) -> tuple[bool, bool, float]:
    """Return by what the events of a message are sorted: filing comes before the delivery that it is part of."""
    early = _CLOCKS if event["event"] == "filed" else 0.0
    return event["event"] in _NOW, event["event"] != "accepted", moment(event) - early


def who(record: Record) -> str:
    """Return one line that says who sent a message, or whose a refusal is."""
    if record.get("bounce_of"):
        return f"{record['id']}: our own notice about {record['bounce_of']}"
    right = _RIGHTS.get(record["by"] or "")
    sent = f"{record['account_address']} by {right}" if right else "a client without login or grant"
    if record.get("granted_at"):
        sent += f" (login at {record['granted_at']})"
    return (
        f"{record['id']}: {sent}, from {record['client_address']}, as <{record['sender'] or ''}>, at {record['at']}"
        f" ({record['listener']}, {record['tls'] or 'no TLS'}, {record['helo']})"
    )


def story(record: Record) -> list[str]:
    """Return the lines of a record in order."""
    if record["kind"] == "refusal":
        return _refusal(record)
    if record["kind"] in ("mailbox", "account"):
        return [_change(record)]
    lines = [who(record)]
    if record["message_id"]:
        lines.append(f"    Message-ID <{record['message_id']}>, {record['size']} octets")
    lines += [f"    {_verdict(each)}" for each in record["verdicts"]]
    return lines + [f"    {_event(event)}" for event in record["events"][1:]]


def events(record: Record) -> Iterator[tuple[float, str, str]]:
    """Yield what happened, each as its time, a line that is complete in itself, and a JSON value."""
    if record["kind"] != "message":
        yield moment(record), "  ".join(story(record)), json.dumps(record)
        return
    head = {name: value for name, value in record.items() if name != "events"}
    yield moment(record), who(record), json.dumps(head)
    for event in record["events"][1:]:
        value = {"kind": "event", "id": record["id"], **event}
        yield moment(event), f"{record['id']}: {_event(event)}", json.dumps(value)


def _refusal(record: Record) -> list[str]:
    rule = record["rule"]
    why = f"{rule} ({WHY[rule]})" if rule in WHY else rule
    if record["times"] > 1:
        return [f"{record['at']}: {record['times']} more refusals by {why}, not recorded singly"]
    of = f" to {', '.join(f'<{address}>' for address in record['recipients'])}" if record["recipients"] else ""
    return [
        f"refused {who(record)}{of}",
        f"    {record['command']} refused by {why}: {' '.join(record['reply'].split())}",
        *(f"    {_verdict(each)}" for each in record["verdicts"]),
    ]


def _verdict(verdict: Record) -> str:
    """Return the line of what a method found, with the record in the DNS that caused it."""
    cause = f'{verdict["record_name"]} TXT "{verdict["record"]}"' if verdict["record"] else ""
    parts = [f"{verdict['method']}={verdict['result']}", verdict["domain"], verdict["reason"], cause]
    return "  ".join(part for part in parts if part)


def _change(record: Record) -> str:
    """Return the line of a login, of a change, or of what happened in a mailbox."""
    if record["kind"] == "mailbox":
        return f"{_in_mailbox(record)}  {record['messages']} messages of mailbox {record['mailbox_id']}"
    by = f"by {record['protocol']}" if record["protocol"] else ""
    client = f"from {record['client']}" if record["client"] else ""
    parts = [str(record["at"]), record["event"], record["address"], by, client, record["detail"]]
    return "  ".join(part for part in parts if part)


def _in_mailbox(event: Record) -> str:
    direction = {"filed": "in", "moved": "to", "copied": "to", "deleted": "from", "undeleted": "to"}.get(event["event"])
    parts = [
        str(event["at"]),
        event["event"],
        f"{direction} {event['folder']}" if direction else "",
        f"by {event['protocol']}" if event["protocol"] else "",
    ]
    return "  ".join(part for part in parts if part)


def _event(event: Record) -> str:
    if "mailbox_id" in event:
        return f"{_in_mailbox(event)}  in mailbox {event['mailbox_id']}"
    at = f"next try {event['at']}" if event["event"] == "waiting" else event["at"] or ""
    reason = f": {' '.join(event['reason'].split())}" if event.get("reason") else ""
    parts = [
        str(at),
        f"{event['event']} {event.get('concerns') or ''}".rstrip(),
        ""
        if event["n"] is None
        else f"recipient {event['n']}" + (f" <{event['recipient']}>" if event["recipient"] else ""),
        f"by {event['actor']}{reason}" if event.get("actor") else "",
        f"forwarded by <{event['forwarded_by']}>" if event.get("forwarded_by") else "",
        f"as <{event['sender']}>" if event.get("sender") else "",
        f"at {event['remote_host']}" if event["remote_host"] else "",
        f"({event['connection']})" if event.get("connection") else "",
        " ".join((event["reply"] or "").split()),
        event.get("held_back") or "",
    ]
    return "  ".join(part for part in parts if part)
