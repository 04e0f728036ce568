"""The operators' API takes no text that the database cannot hold: a NUL or a lone surrogate is a 4xx, never a 500."""

import json

from auth.service import openapi
from mailkit.testing import hostile


async def test_a_nul_or_a_lone_surrogate_anywhere_is_a_problem_document(auth):
    await auth.make("x@a.test")
    assert await hostile.check(auth.url, "admin-token", json.loads(openapi())) > 40


async def test_no_password_is_set_that_nobody_can_send(auth):
    await auth.make("x@a.test")
    for password in ("nul\x00", "lone\ud800"):
        body = json.dumps({"password": password}).encode()
        status, content = await hostile.answer(
            auth.url, "admin-token", ("PUT", "/v1/mailboxes/x@a.test/password", body)
        )
        assert (status, b"cannot be stored" in content) == (422, True)
    assert (await auth.login("x@a.test")).outcome == "ok"
