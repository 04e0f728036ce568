"""How a client behaves: errors and useless commands are answered slower and slower, then the connection ends.

The rules and their defaults are Postfix's (smtpd_soft_error_limit, smtpd_hard_error_limit, smtpd_junk_command_limit,
smtpd_error_sleep_time, stress-adaptive behaviour); docs/decisions/0031.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mailkit.address import client_network
from mailkit.levels import Levels

#: Errors of one network are forgotten at this rate (per second): one in six seconds.
NETWORK_PER_SECOND = 1 / 6
#: With this number not forgotten, errors of all clients of the network are answered later.
NETWORK_ERRORS = 100
#: No reply waits longer (seconds): clients give up after minutes, and each holds a connection meanwhile.
LONGEST_PAUSE = 10.0
#: What is allowed while most connections are taken, of errors and of useless commands.
CROWDED_LIMIT = 1


@dataclass(frozen=True, slots=True)
class Allowance:
    """`soft`: errors until replies come later, by `pause` seconds more with each; `hard`: until the connection ends.
    `junk`: useless commands (NOOP, RSET, VRFY …) until each is an error."""

    junk: int
    soft: int
    hard: int
    pause: float


class Conduct:
    """The counters of one connection, which an accepted message resets.

    `networks` has the errors of its /24 or /64, which only slow down. `exempt`: is this a client that limits leave
    alone?
    """

    def __init__(
        self,
        allowance: Allowance,
        networks: Levels,
        address: str | None,
        exempt: Callable[[str], bool],
        crowded: Callable[[], bool],
    ) -> None:
        self._allowance = allowance
        self._networks = networks
        self._address = address
        self._exempt = exempt
        self._crowded = crowded
        self._errors = 0
        self._junk = 0
        self._ended = False

    def error(self) -> float:
        """Count a refused command; the seconds to wait before the reply."""
        if self._address is not None and self._exempt(self._address):
            return 0.0
        self._errors += 1
        lately = self._networks.add(client_network(self._address)) if self._address is not None else 0.0
        if self._crowded():
            return 0.0  # who waits keeps a connection: it ends instead
        seconds = self._allowance.pause * max(0, self._errors - self._allowance.soft)
        if lately > NETWORK_ERRORS:
            seconds += self._allowance.pause * lately / NETWORK_ERRORS
        return min(seconds, LONGEST_PAUSE)

    def junk(self) -> float:
        """Count a command that brings mail no further; the seconds to wait before the reply."""
        self._junk += 1
        return self.error() if self._junk > (CROWDED_LIMIT if self._crowded() else self._allowance.junk) else 0.0

    def accepted(self) -> None:
        """A message was taken."""
        self._errors = self._junk = 0

    def end(self) -> None:
        """The client has done enough, whoever it is."""
        self._ended = True

    @property
    def over(self) -> bool:
        """True when the connection is to end."""
        if self._ended or self._errors >= self._allowance.hard:
            return True
        return self._errors >= CROWDED_LIMIT and self._crowded()
