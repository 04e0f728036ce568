"""S6: outbound mail goes over TLS whenever the receiving server offers STARTTLS, in plain text when it does not."""

from tests.support.clients import STRANGER, smtp
from tests.support.mail import message
from tests.support.run import Run, wait_for
from tests.support.world import World


def test_starttls_when_offered_and_byte_for_byte(run: Run, world: World) -> None:
    user = run.mailbox(run.domain())
    secure, plain = world.remote(), world.remote()
    secure.sink.behaviour.starttls = True
    sent = message(user.address, "someone", body="line\r\n.\r\n..x\r\n" + "ä" * 30 + "\r\n")
    with smtp(run, STRANGER, "SUBMISSION", login=user) as client:
        client.sendmail(user.address, [f"a@{secure.domain}", f"b@{plain.domain}"], sent, ["body=8bitmime"])
    wait_for(lambda: secure.messages() and plain.messages())
    for remote, tls in ((secure, True), (plain, False)):
        (got,) = remote.messages()
        assert got.tls is tls
        assert got.mail_from == user.address
        assert got.data.endswith(sent)
        assert got.data.startswith(f"Received: from client.test ([{run.source(STRANGER)}])".encode())
        assert got.data[: -len(sent)].count(b"Received:") == 1


def test_preference_addresses_and_fallback(run: Run, world: World) -> None:
    user = run.mailbox(run.domain())
    best, second = world.remote(), world.remote()
    down = world.address()
    world.dns.set(best.host, A=[down])
    world.dns.set(best.domain, MX=[f"20 {second.host}", f"10 {best.host}"])
    bare = world.remote()
    world.dns.set(bare.domain, A=[bare.sink.address])  # no MX: the address itself (RFC 5321 5.1)
    several = world.remote()
    world.dns.set(several.host, A=[world.address(), several.sink.address])
    with smtp(run, STRANGER, "SUBMISSION", login=user) as client:
        client.sendmail(user.address, [f"a@{r.domain}" for r in (best, bare, several)], message(user.address, "x"))
    wait_for(lambda: second.messages() and bare.messages() and several.messages())
    assert second.messages()[0].recipients == [f"a@{best.domain}"]


def test_a_null_mx_takes_no_mail(run: Run, world: World) -> None:
    from tests.support.clients import inbox

    user = run.mailbox(run.domain())
    world.dns.set("nomail.example", MX=["0 ."])
    with smtp(run, STRANGER, "SUBMISSION", login=user) as client:
        client.sendmail(user.address, ["a@nomail.example"], message(user.address, "x"))
    bounce = wait_for(lambda: inbox(run, user))[0]
    assert b"Status: 5.1.10" in bounce
