"""S12: a sender on the operator's badmailfrom list, an address or @domain, is refused with the text."""

import pytest

from tests.support.clients import STRANGER, smtp
from tests.support.run import Run, wait_for

S12 = (554, b"5.7.1 sorry, your envelope sender is in my badmailfrom list")


@pytest.mark.parametrize(
    ("entry", "sender"), [("spam-{}@bad.example", "Spam-{}@bad.example"), ("@{}.bad.example", "x@{}.bad.example")]
)
def test_listed_senders(run: Run, entry: str, sender: str) -> None:
    mark = run.domain().partition(".")[0]
    run.cli("badmailfrom", "add", entry.format(mark))

    def answer() -> tuple[int, bytes]:
        with smtp(run, STRANGER) as client:
            return client.mail(sender.format(mark))

    wait_for(lambda: answer() == S12, 5, "in force within 5 s")
    assert entry.format(mark) in {row["entry"] for row in run.cli("badmailfrom", "ls")}
    run.cli("badmailfrom", "rm", entry.format(mark))
    wait_for(lambda: answer() != S12, 5)
