"""The base of all structs exchanged between services.

They are MessagePack arrays, whose fields are only ever added at the end, with defaults; an older reader ignores fields that it does
not know (`proto/README.md`).
"""

from typing import TYPE_CHECKING, Annotated

import msgspec

#: The trace that an item belongs to, a sampled traceparent of version 00 (W3C Trace Context 3.2), or "" (docs/decisions/0102).
Traceparent = Annotated[str, msgspec.Meta(pattern=r"^(00-[0-9a-f]{32}-[0-9a-f]{16}-01)?\Z")]


def at_most(count: int) -> msgspec.Meta:
    """Return the limit of a list in a question.

    As in `Annotated[list[Item], at_most(100)]`. A longer list is refused (400) before its items are read (docs/decisions/0048).
    """
    return msgspec.Meta(max_length=count)


if TYPE_CHECKING:  # type checkers want `frozen=True` repeated by every subclass; msgspec inherits it

    class Wire(msgspec.Struct, array_like=True, gc=False):
        """A record on the wire. Array-shaped: the order of the fields is the contract."""

else:

    class Wire(msgspec.Struct, array_like=True, frozen=True, gc=False):
        """A record on the wire. Array-shaped: the order of the fields is the contract."""
