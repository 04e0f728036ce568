"""The base of all requests of the operators' JSON API."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

_LONE = re.compile("[\ud800-\udfff]")


class Question(BaseModel):
    """A request: unknown fields and text that cannot be stored are refused."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _can_be_stored(cls, given: Any) -> Any:
        """Refuse NUL and lone surrogates, which no database column and no login can hold."""
        if any(map(_is_unstorable, given.values() if isinstance(given, dict) else ())):
            raise ValueError("a text has a character that cannot be stored")
        return given


def _is_unstorable(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_is_unstorable, value))
    return isinstance(value, str) and ("\x00" in value or (not value.isascii() and _LONE.search(value) is not None))
