"""The rules that a decision consulted, in order, each with what it looked at: kept by a simulation, dropped by live traffic."""

from typing import Any, Protocol


class Note(Protocol):
    """Notes that `rule` (an id of docs/contract.md, or the name of a limit) was consulted, and whether it refused."""

    def __call__(self, rule: str, refused: bool, /, **data: Any) -> None: ...


def unrecorded(rule: str, refused: bool, /, **data: Any) -> None:
    """Keep nothing: live traffic."""
