"""A resolver over zones in memory, for tests."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from mailauth.dns import Answer, DnsTrouble, Kind

Record = str | bytes


class Zones:
    """A resolver that knows some names: `Zones({"a.test": {"TXT": ["v=spf1 -all"]}})`; others do not exist.

    A name above a known one exists too (RFC 8020). CNAMEs are followed, at most ten. `asked` counts questions by (name, type).
    """

    def __init__(self, zones: Mapping[str, Mapping[str, Sequence[Record]]] | None = None) -> None:
        self._records: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
        self._failing: set[str] = set()
        self.asked: Counter[tuple[str, Kind]] = Counter()
        for name, types in (zones or {}).items():
            self.add(name)
            for kind, values in types.items():
                for value in values:
                    self.add(name, **{kind: value})

    def add(self, name: str, **records: Record) -> None:
        """Add one record of each type named; without any, the name exists."""
        held = self._records[_key(name)]
        for kind, value in records.items():
            if kind == "TXT":
                value = value.encode() if isinstance(value, str) else value
            held[kind].append(value)

    def fail(self, name: str) -> None:
        """Answer questions about `name` that have no record with DnsTrouble from now on."""
        self._failing.add(_key(name))

    async def ask(self, name: str, kind: Kind) -> Answer:
        """Return the records of `name`. Raises DnsTrouble."""
        self.asked[(name.lower(), kind)] += 1
        key = _key(name)
        for _ in range(10):
            held = self._records.get(key, {})
            if not (kind in held or "CNAME" not in held):
                key = _key(str(held["CNAME"][0]))
                continue
            if key in self._failing and kind not in held:
                raise DnsTrouble(f"no answer about {name}")
            values = tuple(each.removesuffix(".") if isinstance(each, str) else each for each in held.get(kind, ()))
            return Answer(values, bool(held) or key in self._records or self._has_below(key))
        return Answer()

    def _has_below(self, key: str) -> bool:
        return any(each.endswith("." + key) for each in self._records)


def _key(name: str) -> str:
    return name.lower().removesuffix(".")
