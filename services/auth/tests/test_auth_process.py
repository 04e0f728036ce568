"""The process: start, refusals in one sentence, drain, migration; the schema's two descriptions; the contract's export."""

import json
import os
import re
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine

from auth.maintenance import PERIOD, Maintenance
from auth.service import openapi
from auth.storage.names import SCHEMA
from auth.storage.schema import metadata
from auth_api.admin import AuthAdmin
from mailkit.ids import new_id
from mailkit.postgres.singleton import Singleton
from mailkit.rpc.client import ServiceClient
from mailkit.testing.parent import end_with_parent
from mailkit.testing.postgres import Databases
from mailkit.testing.speed import patient

EXPORT = Path(__file__).parents[3] / "proto" / "auth" / "openapi.json"


def start(command: str, **settings: str) -> "subprocess.Popen[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POSTRIDER_")}
    env = clean | {f"POSTRIDER_{name.upper()}": value for name, value in settings.items()}
    return subprocess.Popen(
        [sys.executable, "-m", "auth", *command.split()],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=end_with_parent(),
    )


def refusal(command: str, **settings: str) -> tuple[int, str]:
    process = start(command, **settings)
    _, errors = process.communicate(timeout=patient(40))
    return process.returncode, errors


def test_it_migrates_serves_and_drains(postgres: Databases):
    with postgres.database() as dsn:
        code, text = refusal("serve", database_url=dsn, http_port="0", proof_key="k" * 32)
        assert code == 78
        assert "schema auth is at revision none" in text
        assert "python -m auth migrate" in text
        for _ in range(2):
            assert refusal("migrate", database_url=dsn)[0] == 0
        process = start("serve", database_url=dsn, http_port="0", admin_token="t", proof_key="k" * 32)
        try:
            assert process.stderr is not None
            port = next(event["port"] for event in map(json.loads, process.stderr) if event["event"] == "ready")
            assert httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
            headers = {"authorization": "Bearer t"}
            assert httpx.get(f"http://127.0.0.1:{port}/v1/domains", headers=headers).json() == []
            process.send_signal(signal.SIGTERM)
            assert process.wait(patient(10)) == 0
        finally:
            process.kill()
            process.communicate()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "POSTRIDER_PROOF_KEY has to be set"),
        ({"proof_key": "k" * 31}, "32 or more characters"),
        ({"proof_key": "k" * 32}, "POSTRIDER_DATABASE_URL is not set"),
        ({"proof_key": "k" * 32, "database_url": "not a url"}, "not a Postgres URL"),
        ({"grant_allow_networks": "0.0.0.0/0"}, "names a /0"),
        ({"grant_deny_networks": "nonsense"}, "POSTRIDER_GRANT_DENY_NETWORKS"),
        ({"sender_identity": "everybody"}, "POSTRIDER_SENDER_IDENTITY"),
        ({"open_smtp_second": "1"}, "POSTRIDER_OPEN_SMTP_SECOND"),
        ({"clock_offset_seconds": "5"}, "single-machine run only"),
    ],
)
def test_what_it_cannot_start_with_is_one_sentence(settings, sentence):
    code, text = refusal("serve", **settings)
    assert code == 78, text
    assert sentence in text
    assert "Traceback" not in text


async def test_the_tables_and_the_migrations_describe_the_same_schema(database):
    engine = create_async_engine("postgresql+asyncpg" + database.removeprefix("postgresql"))
    async with engine.connect() as connection:

        def differences(sync):
            context = MigrationContext.configure(
                sync,
                opts={
                    "include_schemas": True,
                    "version_table_schema": SCHEMA,
                    "version_table": "schema_version",
                    "compare_server_default": True,
                    "include_name": lambda name, kind, _: (
                        name == SCHEMA if kind == "schema" else not str(name).startswith("event_rest")
                    ),
                },
            )
            return compare_metadata(context, metadata)

        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_the_checks_of_the_tables_are_the_migrations(auth):
    rows = await auth.pool.fetch(
        "select conname from pg_constraint where contype = 'c' and connamespace = 'auth'::regnamespace"
    )
    named = {
        check.name
        for table in metadata.tables.values()
        for check in table.constraints
        if "Check" in type(check).__name__
    }
    assert {row["conname"] for row in rows} == named


def test_the_export_is_up_to_date():
    assert EXPORT.read_text() == openapi(), "run `python -m auth openapi > proto/auth/openapi.json`"


def test_every_operation_has_its_method_and_every_method_its_operation():
    document = json.loads(EXPORT.read_text())
    operations = {item["operationId"] for path in document["paths"].values() for item in path.values()}
    methods = {name for name in dir(AuthAdmin) if re.match(r"[a-z]", name)} - set(dir(ServiceClient))
    assert operations == methods


def maintenance(auth):
    """One replica's."""
    lease = Singleton(auth.pool, auth.clock, new_id(), SCHEMA, "maintain", period=PERIOD)
    return Maintenance(auth.clock, timedelta(seconds=600), lease, keep_verifiers=True)


async def test_one_replica_maintains_and_another_takes_over(auth):
    one, two = maintenance(auth), maintenance(auth)
    assert await one.run() and not await two.run() and await one.run()
    await one.end()
    assert await two.run() and not await one.run()  # given back at a drain: no wait
    auth.pass_time(PERIOD.total_seconds() + 61)
    assert await one.run() and not await two.run()  # killed: its lease runs out
    assert await auth.pool.fetchval("select fence from auth.singleton") == 3


async def test_maintenance_removes_what_is_over_and_nothing_else(auth, settings):
    await auth.make("a@site.com")
    await auth.login("a@site.com")
    await auth.login("a@site.com", "wrong")
    box = (await auth.admin.mailbox("a@site.com"))["id"]
    from uuid import UUID

    await auth.rcpt("x@far.test", login=UUID(box))
    none = {"relay_rates": 0, "remembered_passwords": 0}
    work = maintenance(auth)
    assert not any((await work.run()).values())
    auth.pass_time(601)
    assert (
        await work.run()
        == {"grants": 0, "operations": 2, "login_failures": 2, "login_networks": 0, "relay_use": 0} | none
    )
    auth.pass_time(3600 * 3)
    assert (
        await work.run()
        == {"grants": 1, "operations": 0, "login_failures": 0, "login_networks": 0, "relay_use": 1} | none
    )
