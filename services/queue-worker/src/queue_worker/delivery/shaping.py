"""What this worker sends to each operator of mail hosts: conversations, rate, and a pause after a reply that asks for less.

An operator serves many domains, and limits the sum of what they get (docs/decisions/0101). Which operator serves a domain is
learned when its hosts are looked up. Time is an argument, in seconds of one monotonic clock.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from queue_worker import metrics
from queue_worker.delivery.mx_operators import MxOperator, operator_of

#: Seconds of the first pause, doubled with each further one, and the limit.
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 1800.0
#: Most domains whose operator is remembered.
REMEMBERED = 50_000
#: Recipients at a time where there is no limit of the rate.
UNLIMITED = 1_000_000
#: Characters of a reply that are shown.
_SHOWN = 200
#: Replies that ask to send less: Google's 4.7.28, Microsoft's 4.7.500 to 4.7.699 and RP-00x, Yahoo's TSxx, and words of others.
_LESS = re.compile(
    r"\b4\.7\.(28|[56]\d\d)\b|\bRP-00\d\b|\[?\bTSS?\d\d\b|rate.?limit|too many (connections|messages|sessions)|throttl|unusual rate",
    re.I,
)
#: Replies about one sender only, for which the others' mail does not wait: Google's on authentication, domains and links.
_OF_ONE = re.compile(r"\b4\.7\.(2[679]|3\d)\b|\b(DKIM|SPF) domain\b|\bURLs?\b", re.I)


@dataclass(slots=True)
class _State:
    operator: MxOperator
    cap: int
    running: int = 0
    until: float = 0.0
    pause: float = 0.0
    reply: str = ""
    tokens: float = 0.0
    filled: float = 0.0
    limited: int = 0


@dataclass(frozen=True, slots=True)
class Shaped:
    """The state of one operator in this worker. `paused`: seconds until something is sent again; `reply`: why."""

    operator: MxOperator
    conversations: int
    cap: int
    paused: float
    reply: str
    limited: int


def asks_for_less(reply: str) -> bool:
    """Return whether a remote host's reply, code first, asks to send less for a while: a 421 with 4.7.x, or a 4xx that says so."""
    if reply[:1] != "4" or _OF_ONE.search(reply):
        return False
    return (reply[:3] == "421" and reply[4:8] == "4.7.") or _LESS.search(reply) is not None


class Shaping:
    """The operators and what is under way with each."""

    def __init__(self, operators: Sequence[MxOperator]) -> None:
        self._states = {
            each.name: _State(each, each.conversations, tokens=max(1.0, each.per_minute / 60)) for each in operators
        }
        self._domains: dict[str, str] = {}
        for each in operators:
            metrics.SHAPING_LIMITED.labels(each.name)
        self.measure(0.0, {})

    def learn(self, domain: str, hosts: Sequence[str]) -> str | None:
        """Note the hosts of `domain`; return its operator."""
        found = operator_of(hosts, (state.operator for state in self._states.values()))
        self._domains.pop(domain, None)
        if found is not None:
            self._domains[domain] = found
            if len(self._domains) > REMEMBERED:
                del self._domains[next(iter(self._domains))]
        return found

    def of(self, domain: str) -> str | None:
        """Return the operator of `domain`, as far as it is known."""
        return self._domains.get(domain)

    def serving(self, hosts: Sequence[str], now: float) -> Shaped | None:
        """Return the state of the operator that has all `hosts`; None if there is none. Nothing is noted."""
        name = operator_of(hosts, (state.operator for state in self._states.values()))
        return None if name is None else self._shaped(self._states[name], now)

    def free(self, name: str | None, now: float) -> int:
        """Return how many conversations with hosts of an operator may begin now."""
        if name is None:
            return UNLIMITED
        state = self._states[name]
        if now < state.until or self._tokens(state, now) < 1:
            return 0
        return max(0, state.cap - state.running)

    def paused(self, now: float) -> frozenset[str]:
        """Return the operators to which nothing is begun until a time to come."""
        return frozenset(name for name, state in self._states.items() if now < state.until)

    def begin(self, name: str | None) -> None:
        """Count a conversation that begins."""
        if name is not None:
            self._states[name].running += 1

    def end(self, name: str | None, now: float, *, delivered: bool) -> None:
        """Count a conversation that ended; one that delivered something raises a lowered cap by one."""
        if name is None:
            return
        state = self._states[name]
        state.running -= 1
        if delivered and now >= state.until and state.cap < state.operator.conversations:
            state.cap += 1
            if state.cap == state.operator.conversations:
                state.pause, state.reply = 0.0, ""

    def spend(self, name: str | None, wanted: int, now: float) -> int:
        """Take up to `wanted` recipients from the rate, at least one; return how many."""
        if name is None or not self._states[name].operator.per_minute:
            return wanted
        state = self._states[name]
        granted = max(1, min(wanted, int(self._tokens(state, now))))
        state.tokens -= granted
        return granted

    def refund(self, name: str | None, count: int) -> None:
        """Give back what was taken from the rate and not used."""
        if name is not None:
            self._states[name].tokens += count

    def replied(self, name: str | None, reply: str, now: float) -> None:
        """Note a reply that defers: if it asks for less, nothing begins for a while, and half as much after that.

        Replies to what was under way when the pause began do not make it longer.
        """
        if name is None or not asks_for_less(reply):
            return
        state = self._states[name]
        state.limited += 1
        metrics.SHAPING_LIMITED.labels(name).inc()
        if now < state.until:
            return
        state.pause = min(max(state.pause * 2, FIRST_PAUSE), LONGEST_PAUSE)
        state.until = now + state.pause
        state.cap = max(1, state.cap // 2)
        state.reply = " ".join(reply.split())[:_SHOWN]

    def why(self, domain: str, now: float) -> str | None:
        """Return why nothing begins for `domain` now; None if it is not for its operator."""
        name = self.of(domain)
        if name is None or self.free(name, now) > 0:
            return None
        state = self._states[name]
        if now < state.until:
            return f"held back by shaping of {name}: for {state.until - now:.0f} s more, after {state.reply!r}"
        if state.running >= state.cap:
            return f"held back by shaping of {name}: {state.running} conversations are under way, and no more are begun"
        return f"held back by shaping of {name}: {state.operator.per_minute} recipients a minute"

    def shaped(self, now: float) -> list[Shaped]:
        """Return the state of all operators."""
        return [self._shaped(state, now) for state in self._states.values()]

    def measure(self, now: float, waiting: dict[str, int]) -> None:
        """Set the gauges. `waiting`: pairs of flow and domain that are held back."""
        for name, state in self._states.items():
            metrics.SHAPING_CONVERSATIONS.labels(name).set(state.running)
            metrics.SHAPING_CAP.labels(name).set(state.cap)
            metrics.SHAPING_PAUSE.labels(name).set(max(0.0, state.until - now))
            metrics.SHAPING_WAITING.labels(name).set(waiting.get(name, 0))

    @staticmethod
    def _shaped(s: _State, now: float) -> Shaped:
        return Shaped(s.operator, s.running, s.cap, max(0.0, s.until - now), s.reply, s.limited)

    @staticmethod
    def _tokens(state: _State, now: float) -> float:
        """Return the recipients that the rate allows now; a second's worth is saved up at most."""
        rate = state.operator.per_minute / 60
        if not rate:
            return 1.0
        state.tokens = min(max(1.0, rate), state.tokens + max(0.0, now - state.filled) * rate)
        state.filled = now
        return state.tokens
