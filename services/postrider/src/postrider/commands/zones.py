"""Output of `domain dns`: a line for each record, the sentences about it, and the line of a zone file unless a sentence has it."""

import typer

from postrider.commands.common import Record, printable, show

#: Exit statuses by the state of the whole.
STATUSES = {"right": 0, "wrong": 1, "unknown": 3}
#: HELO names that a report looks at.
MOST_NAMES = 10
#: Purposes of records that are in other zones, or useless before something else is there.
_ELSEWHERE = ("source", "mta-sts")


def helo_names(domain: str, routes: list[Record]) -> list[str]:
    """Return the HELO names by which mail of `domain` leaves, if a route for its senders or for all mail says so."""
    by_mail = {(each["kind"], each["value"]): each for each in routes}
    route = by_mail.get(("sender", domain.lower())) or by_mail.get(("all", ""))
    if route is None or route["host"]:
        return []  # by a smart host mail leaves with that host's name
    found = [each["helo"] for each in route["pool"]] or ([route["helo"]] if route["helo"] else [])
    return list(dict.fromkeys(found))[:MOST_NAMES]


def show_report(report: Record, as_json: bool, *, zone: bool = False) -> None:
    """Print a report, or with `zone` only what to publish, and end the command with the status of its state."""
    if as_json:
        show(report, True)
    elif zone:
        for record in report["records"]:
            if is_to_publish(record) and record["purpose"] not in _ELSEWHERE:
                print(printable(zone_line(record)))
    else:
        for record in report["records"]:
            _show_record(record)
        print(_summary(report))
    status = STATUSES.get(report["state"], 1)
    if status:
        raise typer.Exit(status)


def _show_record(record: Record) -> None:
    state = record["state"] if record["needed"] or record["state"] != "missing" else "advised"
    print(printable(f"{state:8} {record['type']:5} {record['name']}"))
    for sentence in (*record["problems"], *record["remarks"]):
        print(f"         {printable(sentence)}")
    if is_to_publish(record) and not any(record["value"] in sentence for sentence in record["problems"]):
        print(printable(f"         {zone_line(record)}"))


def is_to_publish(record: Record) -> bool:
    """Return whether a record is missing or wrong, and it is known what it should be."""
    return record["state"] in ("wrong", "missing") and bool(record["value"])


def zone_line(record: Record) -> str:
    """Return the record as a line of a zone file."""
    return f"{record['name']}. IN {record['type']} {record['zone_text']}"


def _summary(report: Record) -> str:
    counted = [
        (sum(each["state"] in ("wrong", "missing") and _counts(each) for each in report["records"]), "to repair"),
        (sum(each["state"] == "unknown" for each in report["records"]), "could not be asked for"),
        (sum(each["state"] == "missing" and not each["needed"] for each in report["records"]), "advised"),
    ]
    parts = [f"{number} {what}" for number, what in counted if number]
    return printable(f"{report['domain']}: {', '.join(parts) or 'all records are right'}")


def _counts(record: Record) -> bool:
    return bool(record["needed"]) or record["state"] == "wrong"
