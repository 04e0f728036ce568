"""What a case is: a command, parser or endpoint, and a generator of its worst input by size."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cost.bench import Bench

#: Sends the worst input of size n and reads the answers; returns what was answered, which must show no failure of ours.
Play = Callable[["Bench", int], bytes]

KB, MB = 1024, 1024 * 1024


@dataclass(frozen=True)
class Case:
    """One kind of worst input.

    `covers`: the commands (`smtp MAIL`, `imap UID FETCH`, `pop3 RETR`) and endpoints (`auth POST /v1/senders`) it is for.
    `full`: the size in `make cost`. `base`: the short form runs base, 2 base and 4 base; 0 leaves it out, as `why` says.
    `legitimate`: what one command may cost beyond the common limits, where its work is what the client asked for.
    """

    name: str
    covers: tuple[str, ...]
    full: int
    play: Play
    base: int = 0
    why: str = ""
