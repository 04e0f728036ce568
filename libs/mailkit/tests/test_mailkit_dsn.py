"""Where the database is: operators' secrets, single settings over them, and no password in what is said."""

import asyncio
import socket
import struct

import asyncpg
import pytest

from mailkit.errors import ConfigError
from mailkit.postgres.dsn import BodiesSettings, DatabaseSettings, where
from mailkit.postgres.pool import connect

from .conftest import run

#: The keys of each operator's secret, and where it leads.
SECRETS = {
    "CloudNativePG": (
        {
            "username": "app",
            "user": "app",
            "password": "p@ss/w:rd",
            "host": "pg-rw",
            "port": "5432",
            "dbname": "mail",
            "uri": "postgresql://app:p%40ss%2Fw%3Ard@pg-rw.db:5432/mail",
            "jdbc-uri": "jdbc:postgresql://pg-rw:5432/mail",
            "pgpass": "pg-rw:5432:mail:app:p@ss/w:rd",
        },
        "postgresql://app:p%40ss%2Fw%3Ard@pg-rw.db:5432/mail",
    ),
    "Crunchy": (
        {"user": "app", "password": "x", "host": "pg.db.svc", "port": "5433", "dbname": "mail"},
        "postgresql://app:x@pg.db.svc:5433/mail",
    ),
    "hand-made": (
        {"username": "app", "password": "x\n", "host": "10.0.0.7", "database": "mail"},
        "postgresql://app:x@10.0.0.7:5432/mail",
    ),
    "Crossplane": (
        {"username": "app", "password": "x", "endpoint": "fd00::7", "port": "5432", "dbname": "mail"},
        "postgresql://app:x@[fd00::7]:5432/mail",
    ),
    "a URL under another name": ({"DATABASE_URL": "postgres://app:x@pg/mail"}, "postgresql://app:x@pg/mail"),
}


@pytest.fixture
def folder(tmp_path):
    def write(values):
        """As the kubelet mounts it: links into a folder that is swapped."""
        (tmp_path / "..1").mkdir()
        (tmp_path / "..data").symlink_to("..1")
        for name, value in values.items():
            (tmp_path / "..1" / name).write_text(value)
            (tmp_path / name).symlink_to(f"..data/{name}")
        return str(tmp_path)

    return write


def settings(**values):
    return DatabaseSettings.load({f"POSTRIDER_{name.upper()}": value for name, value in values.items()})


@pytest.mark.parametrize("operator", SECRETS)
def test_an_operators_secret_works_as_it_is(folder, operator):
    keys, url = SECRETS[operator]
    assert settings(database_secret=folder(keys)).dsn == url


def test_single_settings_win_over_the_secret_and_complete_it(folder):
    only = settings(
        database_secret=folder({"username": "app", "password": "x"}),
        database_host="pg-rw",
        database_port="6432",
        database_name="mail",
        database_sslmode="verify-full",
    )
    assert only.dsn == "postgresql://app:x@pg-rw:6432/mail?sslmode=verify-full"
    url = "postgresql://u:p@a:1,b:2/d?sslmode=disable&application_name=x"
    assert settings(database_url=url).dsn == url
    assert settings(database_url=url, database_port="9").dsn == (
        "postgresql://u:p@a:9,b:9/d?sslmode=disable&application_name=x"
    )
    assert settings(database_url=url, database_host="::1", database_sslmode="require").dsn == (
        "postgresql://u:p@[::1]:1/d?application_name=x&sslmode=require"
    )


def test_a_secrets_own_authority_is_used(folder):
    keys = {"uri": "postgresql://u:p@a/d?sslmode=verify-full", "ca.crt": "..."}
    assert settings(database_secret=(place := folder(keys))).dsn.endswith(f"&sslrootcert={place}/ca.crt")


def test_bodies_may_lie_elsewhere():
    both = {"POSTRIDER_DATABASE_URL": "postgresql://u@a/d"}
    assert BodiesSettings.load(both).bodies_dsn == "postgresql://u@a/d"
    assert BodiesSettings.load(both | {"POSTRIDER_BODIES_DATABASE_URL": "postgresql://u@b/d"}).bodies_dsn.endswith(
        "b/d"
    )


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"username": "app", "password": "geheim"}, "no host"),
        ({"host": "pg", "dbname": "d", "password": "geheim"}, "no user"),
        ({"host": "pg", "username": "app", "password": "geheim"}, "no database"),
        ({"host": "pg", "port": "five geheim", "username": "app", "dbname": "d"}, "port is not a number"),
        ({"uri": "mysql://app:geheim@pg/d"}, "its uri is not a Postgres URL"),
    ],
)
def test_what_a_secret_lacks_is_said_without_its_values(folder, keys, sentence):
    with pytest.raises(ConfigError, match=sentence) as caught:
        _ = settings(database_secret=folder(keys)).dsn
    assert "geheim" not in str(caught.value)


def test_a_missing_folder_and_two_sources_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="there is no folder"):
        _ = settings(database_secret=str(tmp_path / "none")).dsn
    with pytest.raises(ConfigError, match="both set"):
        _ = settings(database_secret=str(tmp_path), database_url="postgresql://u@a/d").dsn
    assert where("postgresql://u:geheim@a:1/d") == "u at a:1/d"


class Refusing:
    """A Postgres that says no to everybody, by its own protocol: 28P01."""

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.talk, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def __aexit__(self, *_):
        self.server.close()

    async def talk(self, reader, writer):
        length, code = struct.unpack("!II", await reader.readexactly(8))
        if code == 80877103:  # SSLRequest
            writer.write(b"N")
            length, _ = struct.unpack("!II", await reader.readexactly(8))
        await reader.readexactly(length - 8)
        fields = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed\0\0"
        writer.write(b"E" + struct.pack("!I", len(fields) + 4) + fields)
        await writer.drain()
        writer.close()


@pytest.mark.parametrize("package", ["auth", "mailstore", "queue_worker"])
async def test_a_wrong_password_is_one_sentence_and_status_78(folder, package):
    async with Refusing() as port:
        secret = folder(
            {"username": "app", "password": "geheim", "host": "127.0.0.1", "port": str(port), "dbname": "d"}
        )
        for verb in ("migrate", "serve"):
            status, said = await run(package, verb, database_secret=secret)
            assert status == 78
            assert said.count("\n") == 1, said
            assert f"refused the user or password: app at 127.0.0.1:{port}/d" in said
        status, said = await run(package, "wait-schema", database_secret=secret, schema_wait_seconds="1.5")
        assert status == 78
        assert said.count("refused the user or password") == 2  # once when it began to wait, once at the end
        assert "geheim" not in said


async def test_a_host_that_does_not_answer_is_one_sentence(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listened on: refused
        keys = {"username": "app", "password": "geheim", "host": "127.0.0.1", "dbname": "d"}
        place = folder(keys | {"port": str(taken.getsockname()[1])})
        with pytest.raises(ConfigError) as refused:
            await connect(settings(database_secret=place).dsn, "auth", 1, patience=0.1)
    said = str(refused.value)
    assert "\n" not in said and "does not answer (ConnectionRefusedError): app at 127.0.0.1:" in said
    assert "geheim" not in said


async def test_a_database_that_is_not_there_is_one_sentence(postgres):
    with postgres.database() as dsn:
        status, said = await run("auth", "migrate", database_url=dsn, database_name="elsewhere")
    assert status == 78 and said.count("\n") == 1 and "there is no such database" in said


async def test_single_settings_reach_a_real_server(postgres):
    with postgres.database() as dsn:
        place = settings(database_url=dsn, database_sslmode="disable").dsn
        connection = await asyncpg.connect(place)
        assert await connection.fetchval("select current_database()") in dsn
        await connection.close()
        assert (await run("auth", "migrate", database_url=dsn, database_sslmode="disable"))[0] == 0


@pytest.mark.parametrize("package", ["auth", "mailstore", "queue_worker", "smtp_gateway", "pop_imap_frontend"])
async def test_an_unknown_command_is_answered_by_the_known_ones(package):
    status, said = await run(package, "serv")
    owns = package in ("auth", "mailstore", "queue_worker")
    assert status == 64 and said.startswith(f"usage: python -m {package} [serve") and ("wait-schema" in said) == owns
