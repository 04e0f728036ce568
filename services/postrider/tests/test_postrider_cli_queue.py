"""What `postrider queue` prints: groups added up, and how far an action is."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from postrider.commands import top_groups
from postrider.commands.progress import bar


def group(key: str, recipients: int, oldest: str) -> dict[str, Any]:
    return {"key": key, "recipients": recipients, "waiting": recipients, "claimed": 0, "held": 0, "oldest": oldest}


class Parts:
    async def top(self, by: str, **filter: Any) -> AsyncIterator[list[dict[str, Any]]]:
        assert (by, filter) == ("domain", {"state": "waiting"})
        yield [group("a.test", 2, "2026-11-30T10:00:00Z"), group("b.test", 4, "2026-11-30T09:00:00Z")]
        yield [group("a.test", 3, "2026-11-30T08:00:00Z"), group("c.test", 1, "2026-11-30T07:00:00Z")]

    async def list_shaping(self) -> list[dict[str, Any]]:
        full = {"name": "google", "conversations": 20, "conversations_max": 20, "paused_until": None, "reply": ""}
        paused = full | {
            "name": "yahoo",
            "conversations": 0,
            "paused_until": "2026-11-30T11:00:00Z",
            "reply": "421 wait",
        }
        return [full, paused, full | {"name": "microsoft", "conversations": 1}]


def test_the_parts_of_the_queue_are_added_up_and_the_largest_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(top_groups.watch(Parts(), "domain", {"state": "waiting"}, 2, 0, True))
    told = json.loads(capsys.readouterr().out)
    assert [(g["key"], g["recipients"], g["waiting"], g["oldest"][11:13]) for g in told] == [
        ("a.test", 5, 5, "08"),
        ("b.test", 4, 4, "09"),
    ]
    asyncio.run(top_groups.watch(Parts(), "domain", {"state": "waiting"}, 9, 0, False))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["DOMAIN", "RECIPIENTS"] and lines[1].split()[:2] == ["a.test", "5"]
    assert lines[-2:] == [
        "held back by shaping of google: 20 of 20 conversations under way",
        "held back by shaping of yahoo until 2026-11-30T11:00:00Z: 421 wait",
    ]


def test_no_more_groups_are_kept_than_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top_groups, "MOST", 10)
    groups: dict[str, dict[str, Any]] = {}
    for n in range(100):
        top_groups.add(groups, [group(f"{n}.test", n, "2026")])
        assert len(groups) <= 10
    assert "99.test" in groups


@pytest.mark.parametrize(
    ("done", "total", "line"),
    [
        (0, 0, "0 recipients"),
        (1500, 3000, f"[{'#' * 20}{'.' * 20}] 1,500 of 3,000 recipients"),
        (9, 3, f"[{'#' * 40}] 9 of 3 recipients"),
    ],
)
def test_the_bar_of_an_action(done: int, total: int, line: str) -> None:
    assert bar(done, total) == line
