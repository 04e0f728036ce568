"""Pages of the operators' lists: `limit` and `after` in the request, the next page in `Link` (RFC 8288)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Query, Request, Response

from mailkit.errors import BadRequest

T = TypeVar("T")

#: Rows of a page: the default of `limit` and its maximum.
MOST_ROWS = 1000
#: Longest `after` (characters): the longest address and a UUID.
LONGEST_KEY = 400


@dataclass(frozen=True, slots=True)
class Page:
    """The rows whose key is above `after` ("": from the first), at most `limit`."""

    after: str
    limit: int

    @property
    def asked(self) -> int:
        """Rows to read: one more than `limit`, which shows whether there is a next page."""
        return self.limit + 1


def page(
    after: str = Query(default="", max_length=LONGEST_KEY, description="the last key of the page before"),
    limit: int = Query(default=MOST_ROWS, ge=1, le=MOST_ROWS),
) -> Page:
    """Return the page that a request asks for. Raises BadRequest."""
    if "\x00" in after:
        raise BadRequest("after has a character that cannot be stored")
    return Page(after, limit)


Asked = Annotated[Page, Depends(page)]


def cut(rows: Sequence[T], of: Page, key: Callable[[T], str], request: Request, response: Response) -> list[T]:
    """Return the page of `rows`, which were read with `of.asked`; if there are more, add `Link` to the next page."""
    if len(rows) > of.limit:
        following = request.url.include_query_params(after=key(rows[of.limit - 1]), limit=of.limit)
        response.headers["link"] = f'<{following.path}?{following.query}>; rel="next"'
    return list(rows[: of.limit])
