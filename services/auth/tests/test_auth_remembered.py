"""A password that one replica has checked is known to the others, and to none once it is no longer the mailbox's (docs/decisions/0125)."""

from datetime import timedelta

import pytest
from pydantic import SecretStr

from auth.login.passwords import HashQueue, Passwords
from auth.maintenance import PASSWORD_REMEMBERED
from auth.parts import assemble
from auth_api import wire
from mailkit.ids import new_id

ANNA = "anna@here.test"


class Replica:
    """Another replica's logins, in this process: the same database and settings, nothing else in common."""

    def __init__(self, auth, settings):
        self._queue = HashQueue(4, 1)
        self._parts = assemble(settings, auth.pool, auth.questions, auth.clock, Passwords(auth.hasher), self._queue)

    async def login(self, password="correct horse"):
        return (await self._parts.logins.answer([wire.Login(new_id(), "imap", ANNA, password, "192.0.2.7")]))[0].outcome

    def close(self):
        self._queue.close()


@pytest.fixture
def other(auth, settings):
    replica = Replica(auth, settings)
    yield replica
    replica.close()


async def cost(auth, asked):
    """The answer, and how many hashes it cost."""
    before = auth.hasher.computed
    outcome = await asked
    return outcome, auth.hasher.computed - before


async def test_another_replica_knows_the_password_without_a_hash(auth, other):
    await auth.make(ANNA)
    assert (await auth.login(ANNA)).outcome == "ok"
    assert await cost(auth, other.login()) == ("ok", 0)
    assert await cost(auth, other.login("wrong")) == ("refused", 1)
    assert await cost(auth, other.login()) == ("ok", 0)


async def test_a_change_is_in_force_on_each_replica_at_once(auth, other):
    await auth.make(ANNA)
    await auth.login(ANNA)
    await other.login()
    await auth.admin.set_password(ANNA, "another")
    assert await cost(auth, other.login()) == ("refused", 1)
    assert await cost(auth, other.login("another")) == ("ok", 1)
    assert await cost(auth, other.login("another")) == ("ok", 0)
    await auth.admin.disable_mailbox(ANNA)
    assert await cost(auth, other.login("another")) == ("refused", 1)
    await auth.admin.enable_mailbox(ANNA)
    await other.login("another")
    await auth.admin.set_main_password(ANNA, False)
    assert await cost(auth, other.login("another")) == ("refused", 1)


async def test_a_check_that_ends_after_the_change_is_not_remembered(auth):
    box = await auth.make(ANNA)
    await auth.admin.set_password(ANNA, "another")
    await auth.parts.logins._store.remember([(box, 1, b"old")], auth.clock.now())
    assert await auth.pool.fetchval("select count(*) from auth.remembered_passwords") == 0


async def test_who_has_the_table_only_cannot_compare_guesses(auth, settings):
    await auth.make(ANNA)
    await auth.login(ANNA)
    changed = settings.model_copy(update={"proof_key": SecretStr("x" * 32)})
    changed.__dict__.pop("proofs", None)  # what was made of the key before
    replica = Replica(auth, changed)
    try:
        assert await cost(auth, replica.login()) == ("ok", 1)
    finally:
        replica.close()


async def test_one_row_for_a_mailbox_and_for_a_day(auth):
    await auth.make(ANNA)
    for password in ("correct horse", "another"):
        await auth.admin.set_password(ANNA, password)
        await auth.login(ANNA, password)
    assert await auth.pool.fetchval("select count(*) from auth.remembered_passwords") == 1
    auth.pass_time((PASSWORD_REMEMBERED + timedelta(seconds=1)).total_seconds())
    await auth.parts.maintenance.run()
    assert await auth.pool.fetchval("select count(*) from auth.remembered_passwords") == 0
    before = auth.hasher.computed
    assert (await auth.login(ANNA, "another")).outcome == "ok"
    assert auth.hasher.computed - before == 1
    await auth.admin.disable_mailbox(ANNA, removal=True)
    await auth.admin.delete_mailbox(ANNA)
    assert await auth.pool.fetchval("select count(*) from auth.remembered_passwords") == 0
