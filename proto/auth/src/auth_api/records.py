"""Records of the operators' API and the paths of its resources."""

from typing import Any
from urllib.parse import quote

Record = dict[str, Any]


def at(*parts: str) -> str:
    """Return the path of a resource, each part quoted."""
    return "/v1/" + "/".join(quote(part, safe="@") for part in parts)
