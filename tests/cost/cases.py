"""All cases in the order in which they run."""

from tests.cost import endpoints, imap, pop3, product, smtp
from tests.cost.case import Case


def all_cases() -> list[Case]:
    """Those of the protocols, of the endpoints, and every route without a token."""
    return [*smtp.CASES, *pop3.CASES, *imap.CASES, *endpoints.CASES, *endpoints.anonymous_cases(product.routes())]
