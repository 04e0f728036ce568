"""The page that a dry run prints: what comes over, and what does not, with its reason and the first examples."""

from collections import Counter

from postrider.moving.mapping import DomainPlan
from postrider.moving.notes import HEADINGS, Notes

#: Lines of reasons of each kind, and examples on a line.
LINES = 12
EXAMPLES = 2


class Sums:
    """What all domains become, counted."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, plan: DomainPlan) -> None:
        """Add a domain."""
        self._counts["domains"] += 1
        self._counts["alias_domains"] += len(plan.aliases)
        self._counts["mailboxes"] += len(plan.mailboxes)
        self._counts["without_password"] += sum(not each.hash for each in plan.mailboxes)
        self._counts["disabled"] += sum(each.disabled for each in plan.mailboxes)
        self._counts["forwards"] += len(plan.forwards)
        self._counts["catchalls"] += bool(plan.catchall.mailbox or plan.catchall.targets)

    def add_messages(self, count: int) -> None:
        """Add messages that were found, in a dry run."""
        self._counts["messages_found"] += count

    def record(self) -> dict[str, int]:
        """Return the counts, for --json."""
        names = ("domains", "alias_domains", "mailboxes", "without_password", "disabled", "forwards", "catchalls")
        found = {name: self._counts[name] for name in names}
        return found | ({"messages_found": self._counts["messages_found"]} if "messages_found" in self._counts else {})


def page(title: str, sums: Sums, notes: Notes) -> str:
    """Return the page."""
    found = sums.record()
    lines = [
        title,
        "",
        f"  {found['domains']:>9,} domains, and {found['alias_domains']:,} alias domains",
        f"  {found['mailboxes']:>9,} mailboxes: {found['without_password']:,} without a password, {found['disabled']:,} disabled",
        f"  {found['forwards']:>9,} forwards",
        f"  {found['catchalls']:>9,} catch-alls",
    ]
    if "messages_found" in found:
        lines.append(f"  {found['messages_found']:>9,} messages")
    return "\n".join([*lines, *reasons(notes)])


def done(messages: dict[str, int], seconds: float) -> str:
    """Return a sentence about the messages that an import brought in that time."""
    said = (
        f"{messages['imported']:,} messages are imported in {seconds:,.0f} s, {messages['known']:,} were there already"
    )
    return f"{said}, {messages['renumbered']:,} could not keep their UIDs" if messages["renumbered"] else said


def reasons(notes: Notes) -> list[str]:
    """Return the lines of all kinds of notes."""
    lines: list[str] = []
    for kind, heading in HEADINGS.items():
        if total := notes.count(kind):
            lines += ["", f"{heading} ({total:,}):", ""]
            groups = list(notes.groups(kind))
            for reason, group in groups[:LINES]:
                more = ", …" if group.count > EXAMPLES else ""
                lines += [f"  {group.count:>9,} {reason}", f"{'':12}{', '.join(group.examples[:EXAMPLES])}{more}"]
            if len(groups) > LINES:
                rest = sum(group.count for _, group in groups[LINES:])
                lines.append(f"  {rest:>9,} for {len(groups) - LINES} other reasons; --json or --notes FILE shows them")
    return lines
