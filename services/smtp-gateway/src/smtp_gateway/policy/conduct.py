"""Limits on clients.

Replies to errors and useless commands are delayed more and more, then the connection ends. Messages per minute of a client
without a right to relay are limited.

The rules and their defaults are Postfix's (smtpd_soft_error_limit, smtpd_hard_error_limit, smtpd_junk_command_limit,
smtpd_error_sleep_time, stress-adaptive behaviour); docs/decisions/0031.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from mailkit.mail.address import Networks, client_host, client_network
from mailkit.net.levels import Levels
from smtp_gateway.config import GatewaySettings

#: Errors of one network are forgotten at this rate (per second): one every six seconds.
NETWORK_PER_SECOND = 1 / 6
#: Above this number of errors not yet forgotten, replies to errors of all clients of the network are delayed.
NETWORK_ERRORS = 100
#: Longest delay of a reply (seconds): clients give up after minutes, and each holds a connection meanwhile.
LONGEST_PAUSE = 10.0
#: The limit of errors, and of useless commands, while most connections are in use.
CROWDED_LIMIT = 1


@dataclass(frozen=True, slots=True)
class Allowance:
    """Limits of one connection.

    `soft`: errors after which replies are delayed, by `pause` seconds more with each further error. `hard`: errors at which
    the connection ends. `junk`: useless commands (NOOP, RSET, VRFY …) after which each further one counts as an error.
    """

    junk: int
    soft: int
    hard: int
    pause: float


class Conduct:
    """The error counters of one connection, which an accepted message resets.

    `networks`: the errors of client networks (/24, IPv6 /64), which only delay replies. `exempt`: True for a client address
    that is exempt from limits.
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
        """Count a refused command; return the seconds to wait before the reply."""
        if self._address is not None and self._exempt(self._address):
            return 0.0
        self._errors += 1
        lately = self._networks.add(client_network(self._address)) if self._address is not None else 0.0
        if self._crowded():
            return 0.0  # a delay would hold a connection; it is ended instead
        seconds = self._allowance.pause * max(0, self._errors - self._allowance.soft)
        if lately > NETWORK_ERRORS:
            seconds += self._allowance.pause * lately / NETWORK_ERRORS
        return min(seconds, LONGEST_PAUSE)

    def junk(self) -> float:
        """Count a useless command; return the seconds to wait before the reply."""
        self._junk += 1
        return self.error() if self._junk > (CROWDED_LIMIT if self._crowded() else self._allowance.junk) else 0.0

    def accepted(self) -> None:
        """Reset the counters after an accepted message."""
        self._errors = self._junk = 0

    def end(self) -> None:
        """End the connection after the next reply, also of an exempt client."""
        self._ended = True

    @property
    def over(self) -> bool:
        """True if the connection must end."""
        if self._ended or self._errors >= self._allowance.hard:
            return True
        return self._errors >= CROWDED_LIMIT and self._crowded()


class ClientLimits:
    """The limits on clients, and what is counted for them over all their connections.

    `crowded`: True while most of the allowed connections are open. `clock`: monotonic seconds.
    """

    def __init__(
        self, settings: GatewaySettings, crowded: Callable[[], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        exempt = Networks(settings.limit_exempt_networks)
        self._exempt = lru_cache(maxsize=4096)(lambda address: bool(exempt) and address in exempt)
        self._allowance = Allowance(
            settings.smtp_junk_commands,
            settings.smtp_soft_errors,
            settings.smtp_hard_errors,
            settings.smtp_error_seconds,
        )
        self._crowded = crowded
        self._networks = Levels(NETWORK_PER_SECOND, clock=clock)
        self._most_messages = settings.messages_per_minute
        self._messages = Levels(settings.messages_per_minute / 60, clock=clock)

    def conduct(self, address: str | None) -> Conduct:
        """Return the error counters of a new connection from `address`."""
        return Conduct(self._allowance, self._networks, address, self._exempt, self._crowded)

    def may_send(self, address: str | None) -> bool:
        """Return False if one more message of a client without a right to relay would exceed the limit per minute."""
        if not self._most_messages or address is None or self._exempt(address):
            return True
        return self._messages.level(client_host(address)) + 1 <= self._most_messages

    def sent(self, address: str | None) -> None:
        """Count a message of a client without a right to relay."""
        if self._most_messages and address is not None and not self._exempt(address):
            self._messages.add(client_host(address))
