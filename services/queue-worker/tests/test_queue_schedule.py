"""The schedule of retries: pure, so for all times (decisions 6 and 11)."""

from datetime import UTC, datetime, timedelta
from math import isqrt

from hypothesis import given
from hypothesis import strategies as st

from queue_worker.delivery.schedule import is_over, next_attempt, next_filing
from queue_worker.models import clean

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ages = st.integers(min_value=0, max_value=200_000)
firsts = st.integers(min_value=1, max_value=10_000)
lifetimes = st.integers(min_value=1, max_value=200_000)


def later(seconds):
    return START + timedelta(seconds=seconds)


@given(ages, firsts, lifetimes)
def test_the_next_attempt_is_in_the_future_and_none_is_after_the_last_one(age, first, lifetime):
    now, expires = later(age), later(lifetime)
    due = next_attempt(now, START, expires, first)
    assert due > now
    assert due <= max(expires, now + timedelta(seconds=1))
    assert is_over(due, expires) or due < expires


@given(ages, firsts)
def test_it_is_the_formula_of_decision_6(age, first):
    due = next_attempt(later(age), START, later(10**7), first)
    assert due == max(later((isqrt(age) + isqrt(first)) ** 2), later(age + 1))


@given(ages, ages, firsts)
def test_it_backs_off(one, other, first):
    low, high = sorted((one, other))
    pause = {age: (isqrt(age) + isqrt(first)) ** 2 - isqrt(age) ** 2 for age in (low, high)}
    assert pause[low] <= pause[high]


@given(firsts, lifetimes)
def test_the_walk_ends_with_a_last_attempt_at_the_end_of_the_lifetime(first, lifetime):
    now, expires, tries = START, later(lifetime), 0
    while not is_over(now, expires):
        now = next_attempt(now, START, expires, first)
        tries += 1
        assert tries <= lifetime
    assert now == expires or (first < 2 and now <= expires + timedelta(seconds=1))


def test_the_default_walk():
    now, walk = START, []
    while not is_over(now, later(86400)):
        now = next_attempt(now, START, later(86400), 400)
        walk.append(int((now - START).total_seconds()))
    assert walk[:4] == [400, 1600, 3600, 6400] and walk[-1] == 86400 and len(walk) == 15


@given(st.integers(min_value=1, max_value=10_000))
def test_filing_is_tried_again_after_at_most_half_a_minute(failures):
    pause = (next_filing(START, failures) - START).total_seconds()
    assert pause == [1, 2, 4, 8, 16, 30][min(failures, 6) - 1]


@given(st.text(alphabet=st.characters(codec=None)) | st.text(max_size=5000))
def test_what_a_remote_host_said_can_be_stored_and_bounced(text):
    cleaned = clean(text)
    cleaned.encode()
    assert "\x00" not in cleaned and "\r" not in cleaned
    assert all(len(line) <= 900 for line in cleaned.split("\n")) and len(cleaned.split("\n")) <= 100
    assert clean(cleaned) == cleaned
