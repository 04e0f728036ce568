"""The base of all structs that travel between services: MessagePack arrays, so fields are only ever added at the end,
with defaults; an older reader passes over what it does not know (`proto/README.md`)."""

from typing import TYPE_CHECKING

import msgspec


def at_most(count: int) -> msgspec.Meta:
    """The bound of a list in a question, `Annotated[list[Item], at_most(100)]`: a longer one is refused (400) before its
    items are read (docs/decisions/0048)."""
    return msgspec.Meta(max_length=count)


if TYPE_CHECKING:  # type checkers want `frozen=True` repeated by every subclass; msgspec inherits it

    class Wire(msgspec.Struct, array_like=True, gc=False):
        """A record on the wire. Array-shaped: the order of the fields is the contract."""

else:

    class Wire(msgspec.Struct, array_like=True, frozen=True, gc=False):
        """A record on the wire. Array-shaped: the order of the fields is the contract."""
