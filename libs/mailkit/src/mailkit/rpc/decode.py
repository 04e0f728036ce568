"""Decoding of MessagePack questions, with errors that name the fields of the struct."""

import re
from typing import Any, Protocol, TypeVar

import msgspec

from mailkit.errors import BadRequest

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_ITEM = re.compile(r" - at `\$\[0\]\[(\d{1,6})\][^`]*`\Z")
_TOO_LONG = re.compile(r"Expected `array` of length <= (\d+) - at `\$((?:\[\d{1,6}\])+)`\Z")


class Decoder(Protocol[T_co]):
    """`msgspec.msgpack.Decoder(T)`."""

    def decode(self, buf: bytes, /) -> T_co: ...


def decoded(decoder: Decoder[T], raw: bytes, kind: type[Any]) -> T:
    """Decode `raw` as a `kind`.

    Raises BadRequest. For a list (its first field is `items`) the error names the item at fault, and for a list that is too
    long its field.
    """
    try:
        return decoder.decode(raw)
    except (ValueError, RecursionError) as error:  # also text that is not UTF-8
        text = str(error)
        if long := _TOO_LONG.search(text):
            raise BadRequest(f"{_field(kind, long[2])} of a {kind.__name__}: at most {long[1]}") from None
        found = _ITEM.search(text) if kind.__struct_fields__[:1] == ("items",) else None
        raise BadRequest(f"not a {kind.__name__}: {error}", items=[int(found[1])] if found else ()) from None


def _field(kind: Any, place: str) -> str:
    """Return the place `[0][7][2]` as `items[7].recipients`; a struct is encoded as an array."""
    text = ""
    for number in map(int, place[1:-1].split("][")):
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            field = msgspec.structs.fields(kind)[number]
            text += f".{field.name}" if text else field.name
            kind = field.type
        else:
            text += f"[{number}]"
            kind = _item(kind)
    return text


def _item(kind: Any) -> Any:
    """Return the struct in a list type, `Annotated[list[X], ...]` or `list[X] | None`; None if there is none."""
    while not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        inner = getattr(kind, "__args__", ())
        if not inner:
            return None
        kind = inner[0]
    return kind
