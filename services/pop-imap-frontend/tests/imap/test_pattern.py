"""LIST's patterns: what they match, and that no pattern and no name costs more than its length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.testing.growth import MOST_GROWTH, growth
from pop_imap_frontend.imap.pattern import LONGEST, MOST_WILDCARDS, Pattern
from pop_imap_frontend.imap.refusals import No

NAMES = st.text("ab/", max_size=8)


def reference(pattern: str, name: str) -> bool:
    """RFC 3501 6.3.8, word by word."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(reference(pattern[1:], name[at:]) for at in range(len(name) + 1))
    if pattern[0] == "%":
        end = name.find("/") if "/" in name else len(name)
        return any(reference(pattern[1:], name[at:]) for at in range(end + 1))
    return name[:1] == pattern[0] and reference(pattern[1:], name[1:])


@given(st.text("ab/*%", max_size=7), NAMES, st.integers(0, 7))
def test_hypothesis_a_pattern_matches_what_the_reference_matches(pattern: str, name: str, cut: int) -> None:
    assert Pattern(pattern[:cut], pattern[cut:]).matches(name) == reference(pattern, name)


@given(st.text("ab/*%", max_size=7), NAMES)
def test_hypothesis_levels_end_where_their_names_match(pattern: str, name: str) -> None:
    ends = [at for at in range(len(name)) if name[at] == "/"] + [len(name)]
    assert list(Pattern("", pattern).ends(name)) == [end for end in ends if reference(pattern, name[:end])]


def test_inbox_has_no_case() -> None:
    assert Pattern("", "inBox").matches("INBOX")
    assert Pattern("inbox/", "%").matches("INBOX/a")
    assert not Pattern("", "inboxes").matches("INBOXes")


def test_a_pattern_is_bounded() -> None:
    Pattern("", "a" * LONGEST)
    Pattern("", "*a" * MOST_WILDCARDS)
    for pattern in ("a" * (LONGEST + 1), "*a" * MOST_WILDCARDS + "%"):
        with pytest.raises(No, match="LIMIT"):
            Pattern("", pattern)


@pytest.mark.parametrize("pattern", ["*e*e*e*e*e*x", "%e" * 25 + "x", "*e%e" * 12 + "x"])
def test_time_grows_with_the_name_only(pattern: str) -> None:
    assert growth(lambda size: "e" * size, Pattern("", pattern).matches, 10_000) < MOST_GROWTH
