"""Settings with which a commit that was answered may be lost: refused at start, reported as long as they last."""

from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from mailkit.errors import ConfigError
from mailkit.postgres.metrics import REMIND, PostgresMetrics
from mailkit.postgres.pool import create_pool, weak_settings
from mailkit.testing.postgres import Databases


@pytest.mark.parametrize("value", ["off", "local", "remote_write", "on"])
async def test_a_database_that_commits_too_early_is_refused_or_told_of(postgres: Databases, value: str) -> None:
    dsn = postgres.create()
    postgres.execute(f'alter database "{urlsplit(dsn).path[1:]}" set synchronous_commit = {value}', dsn)
    if value == "off":
        with pytest.raises(ConfigError, match="synchronous_commit off"):
            await create_pool(dsn, service="test", size=1)
        return
    pool = await create_pool(dsn, service="test", size=1)
    assert await weak_settings(pool) == ({} if value == "on" else {"synchronous_commit": value})
    await pool.close()


async def test_a_weaker_setting_is_told_of_again_and_again(
    postgres: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = await create_pool(postgres.create(), service="test", size=1)
    metrics, now = PostgresMetrics(pool), 0.0
    monkeypatch.setattr("mailkit.postgres.metrics.time.monotonic", lambda: now)

    def durable() -> float:
        (metric,) = (each for each in metrics.collect() if each.name == "postrider_postgres_durable")
        return float(metric.samples[0].value)

    async def said() -> list[tuple[str, str]]:
        with capture_logs() as lines:
            await metrics.look()
        return [(line["event"], line.get("synchronous_commit", "")) for line in lines]

    assert await said() == [] and durable() == 1
    await pool.execute("set synchronous_commit = local")
    assert await said() == [("commits_not_durable", "local")] and durable() == 0
    now += REMIND - 1
    assert await said() == []
    await pool.execute("set synchronous_commit = off")
    assert await said() == [("commits_not_durable", "off")]
    for _ in range(2):
        now += REMIND
        assert await said() == [("commits_not_durable", "off")] and durable() == 0
    await pool.execute("set synchronous_commit = remote_apply")
    assert await said() == [] and durable() == 1
    await pool.close()
