"""Pages of the operators' lists: `limit` and `after` in the question, the next page in `Link` (RFC 8288)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Query, Request, Response

from mailkit.errors import BadRequest

T = TypeVar("T")

#: Rows of a page, when no `limit` is given and at most.
MOST_ROWS = 1000
#: Characters of `after`: the longest address and a UUID.
LONGEST_KEY = 400


@dataclass(frozen=True, slots=True)
class Page:
    """Rows whose key is above `after` ("": from the first), at most `limit`."""

    after: str
    limit: int

    @property
    def asked(self) -> int:
        """Rows to read: one more says whether there is a next page."""
        return self.limit + 1


def page(
    after: str = Query(default="", max_length=LONGEST_KEY, description="the last key of the page before"),
    limit: int = Query(default=MOST_ROWS, ge=1, le=MOST_ROWS),
) -> Page:
    """The page that a question asks for. Raises BadRequest."""
    if "\x00" in after:
        raise BadRequest("after has a character that cannot be stored")
    return Page(after, limit)


Asked = Annotated[Page, Depends(page)]


def cut(rows: Sequence[T], of: Page, key: Callable[[T], str], request: Request, response: Response) -> list[T]:
    """The page of `rows`, which were read with `of.asked`; where there are more, `Link` says where they begin."""
    if len(rows) > of.limit:
        following = request.url.include_query_params(after=key(rows[of.limit - 1]), limit=of.limit)
        response.headers["link"] = f'<{following.path}?{following.query}>; rel="next"'
    return list(rows[: of.limit])
