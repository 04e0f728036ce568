"""S15: the MX names a host without an address record: fails at once, with the text."""

from tests.support.clients import STRANGER, inbox, smtp
from tests.support.mail import message
from tests.support.run import Run, wait_for
from tests.support.world import World


def test_the_text(run: Run, world: World) -> None:
    user = run.mailbox(run.domain())
    world.dns.set("noaddress.example", MX=["10 mail.noaddress.example"])
    world.dns.set("mail.noaddress.example", TXT=['"no address here"'])
    with smtp(run, STRANGER, "SUBMISSION", login=user) as client:
        client.sendmail(user.address, ["a@noaddress.example"], message(user.address, "x"))
    bounce = wait_for(lambda: inbox(run, user))[0].decode()
    assert (
        "\r\nName service error for mail.noaddress.example: Host found but no data record of requested type\r\n"
        in bounce
    )


def test_another_host_with_an_address_is_enough(run: Run, world: World) -> None:
    user = run.mailbox(run.domain())
    remote = world.remote()
    world.dns.set("half.example", MX=["5 nothing.half.example", f"10 {remote.host}"])
    with smtp(run, STRANGER, "SUBMISSION", login=user) as client:
        client.sendmail(user.address, ["a@half.example"], message(user.address, "x"))
    wait_for(lambda: remote.messages())
