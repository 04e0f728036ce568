"""Every verb, command and route has a case: a new one without fails here."""

from collections import Counter

from tests.cost import product
from tests.cost.cases import all_cases


def needed() -> set[str]:
    routes = {" ".join(route) for route in product.routes() if route[2] not in product.NO_INPUT}
    return product.smtp() | product.imap() | product.pop3() | routes


def test_every_verb_command_and_route_has_a_case() -> None:
    covered = {each for case in all_cases() for each in case.covers}
    assert needed() - covered == set()


def test_no_case_is_for_what_is_not_there() -> None:
    covered = {each for case in all_cases() for each in case.covers}
    beside = {f"{protocol} unknown" for protocol in ("smtp", "imap", "pop3")}
    without_token = {f"{' '.join(route)} without a token" for route in product.routes()}
    assert covered - needed() - beside - without_token == set()


def test_cases_have_names_of_their_own_and_a_size_or_a_reason_in_the_short_form() -> None:
    cases = all_cases()
    assert [name for name, count in Counter(case.name for case in cases).items() if count > 1] == []
    assert [case.name for case in cases if bool(case.base) == bool(case.why)] == []
    assert len([case for case in cases if case.base]) > 200
