"""The disk that holds the database: its reserve, and what is free on it as metrics."""

import os
from pathlib import Path

from prometheus_client import REGISTRY

from mailkit.process.disk import FREE, SIZE, Disk


def sample(name: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"disk": "data"})


def test_what_is_free_is_a_metric_only_where_a_service_sees_the_disk(tmp_path: Path) -> None:
    for gauge in (FREE, SIZE):
        gauge.clear()
    Disk("", 0)
    assert sample("postrider_disk_free_bytes") is None and sample("postrider_disk_size_bytes") is None
    Disk(str(tmp_path), 0)
    room = os.statvfs(tmp_path)
    assert sample("postrider_disk_size_bytes") == room.f_blocks * room.f_frsize
    assert 0 < (sample("postrider_disk_free_bytes") or 0) <= room.f_blocks * room.f_frsize


def test_less_than_the_reserve_is_full_and_a_folder_that_is_gone_is_not(tmp_path: Path) -> None:
    assert Disk(str(tmp_path), 2**60).is_full()
    assert not Disk(str(tmp_path), 1).is_full()
    assert not Disk(str(tmp_path / "gone"), 2**60).is_full()
    assert sample("postrider_disk_size_bytes") == 0  # a share of 0 / 0 is no alert
