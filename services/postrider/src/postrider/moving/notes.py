"""What an operator is told about an import: each file or account with the reason, grouped, in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TextIO

from vpopmail.tree import shown

#: What the notes are about, in the order in which they are printed.
Kind = Literal["changed", "no place", "unreadable"]
HEADINGS: dict[Kind, str] = {
    "changed": "Comes over changed",
    "no place": "Has no place here, and is left out",
    "unreadable": "Cannot be read, and is left out",
}

#: Reasons of one kind that are told apart, and examples that are kept of each.
MOST_REASONS = 200
EXAMPLES = 20
OTHER = "other reasons; --notes FILE writes all"


@dataclass(slots=True)
class NoteGroup:
    """The things that one reason is given for: how many, and the first ones."""

    count: int = 0
    examples: list[str] = field(default_factory=list)


class Notes:
    """Collects notes; with `file` each is also written there, as a line of kind, thing and reason with tabs between."""

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file
        self._groups: dict[Kind, dict[str, NoteGroup]] = {kind: {} for kind in HEADINGS}

    def skipped(self, path: str, reason: str) -> None:
        """Note a file, or a line of one, that cannot be read (vpopmail.tree.Skipped)."""
        self.add("unreadable", path, reason)

    def add(self, kind: Kind, thing: str, reason: str) -> None:
        """Add a note about `thing`: a path, an address or a domain."""
        thing, reason = shown(thing), shown(reason)
        if self._file is not None:
            self._file.write(f"{kind}\t{thing}\t{reason}\n")
        groups = self._groups[kind]
        if reason not in groups and len(groups) >= MOST_REASONS:
            reason = OTHER
        group = groups.setdefault(reason, NoteGroup())
        group.count += 1
        if len(group.examples) < EXAMPLES:
            group.examples.append(thing)

    def count(self, kind: Kind) -> int:
        """Return how many notes of a kind there are."""
        return sum(group.count for group in self._groups[kind].values())

    def groups(self, kind: Kind) -> Iterator[tuple[str, NoteGroup]]:
        """Yield the reasons of a kind, the most frequent first."""
        yield from sorted(self._groups[kind].items(), key=lambda item: (-item[1].count, item[0]))

    def record(self) -> dict[str, list[dict[str, object]]]:
        """Return all groups, for --json."""
        return {
            kind.replace(" ", "_"): [
                {"reason": reason, "count": group.count, "examples": group.examples}
                for reason, group in self.groups(kind)
            ]
            for kind in HEADINGS
        }
