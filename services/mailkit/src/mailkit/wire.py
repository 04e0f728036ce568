"""The base of all structs that travel between services: MessagePack arrays, so fields are only ever added at the end,
with defaults; an older reader passes over what it does not know (`proto/README.md`)."""

import msgspec


class Wire(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A record on the wire. Array-shaped: the order of the fields is the contract."""
