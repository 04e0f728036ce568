"""Look-ups of addresses while domains move in (docs/decisions/0126)."""

from collections.abc import Mapping, Sequence

from auth.directory.expand import Lookup
from auth.moves import Move, Moves
from auth.storage.directory import AddressEntry


def of_what_is_here(lookup: Lookup, moves: Moves, known: Mapping[str, Move]) -> Lookup:
    """Return `lookup` for addresses that are here: those whose mail the old host has are as of other providers."""
    if not known:
        return lookup

    async def here(addresses: Sequence[tuple[str, str]]) -> Mapping[str, AddressEntry]:
        phases = {domain: move.phase for domain, move in known.items()}
        found = await lookup([each for each in addresses if phases.get(each[1]) != "old"])
        moving = [address for address, domain in addresses if domain in phases and address in found]
        boxes = {address: box.id for address in moving if (box := found[address].mailbox) is not None}
        there = await moves.at_old_host(list(boxes.values())) if boxes else set()
        return {address: entry for address, entry in found.items() if boxes.get(address) not in there}

    return here
