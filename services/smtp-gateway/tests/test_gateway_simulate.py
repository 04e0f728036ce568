"""A simulation says what the dialogue says, by generated cases, and has no effect."""

import base64
import random
from collections import Counter
from dataclasses import replace
from typing import Any, cast

from prometheus_client import REGISTRY

from auth_api.fake import FakeAuth
from mailkit.net.connections import Connections, Limits
from mailkit.net.dns import Existence
from mailkit.net.listener import Peer
from mailkit.rpc.batch import Batcher
from mailstore_api.wire import RoomQuestion
from smtp_gateway import replies
from smtp_gateway.policy.author import AuthorCheck
from smtp_gateway.policy.conduct import ClientLimits
from smtp_gateway.policy.grants import WithoutGrants
from smtp_gateway.policy.recipient import RecipientCheck
from smtp_gateway.policy.sender import SenderCheck
from smtp_gateway.simulation.forms import Case, Simulated
from smtp_gateway.simulation.simulator import Simulator
from smtp_gateway.smtp.context import SmtpContext
from tests.support.gateway import Dialogue, Services, context

#: Generated cases; each is a whole dialogue.
CASES = 500
MOST = 3000
SENDERS = (
    "",
    "ann@here.test",
    "off@here.test",
    "bob@there.test",
    "bad@far.example",
    "x@spam.example",
    "x@far.example",
    "x@none.example ",
    "x@none.example",
    "x@slow.example",
    "x@[192.0.2.1]",
    "no address",
    "ü@far.example",
    "a>b",
)
RECIPIENTS = (
    "ann@here.test",
    "ANN@Here.Test",
    "full@here.test",
    "small@here.test",
    "nobody@here.test",
    "away@here.test",
    "circle@here.test",
    "both@here.test",
    "any@there.test",
    "y@far.example",
    "@here.test:y@far.example",
    "a%far@here.test",
    "postmaster",
    "no address",
    "",
    "ü@here.test",
    "x" * 4100 + "@here.test",
)
HEADERS = (
    "",
    "Subject: hello",
    "Subject: dots\n.begin\n..",
    "Delivered-To: ann@here.test",
    "\n".join(f"Received: {n}" for n in range(101)),
    "X: " + "x" * 2000,
    "Subject: nul \0",
    "From: ann@here.test",
    "From: bob@there.test",
    "From: x@far.example",
    "From: ann@here.test, bob@there.test",
    "From: odd <ann@here.test> <x@far.example>",
)
NAMES = ("client.example", "[192.0.2.1]", "odd name!", "", "x" * 300)


class TwoDomains(Services):
    """Two domains of ours with a mailbox of each kind; DNS and quota say what the address asks for."""

    def __init__(self) -> None:
        super().__init__()
        auth = self.auth = FakeAuth()
        for name in ("ann", "off", "full", "small", "postmaster"):
            auth.add_mailbox(f"{name}@here.test", "secret")
        auth.mailboxes["off@here.test"].enabled = False
        auth.add_mailbox("bob@there.test", "secret")
        auth.catchall["there.test"] = ["bob@there.test"]
        auth.enforced = {"there.test"}
        auth.badmailfrom |= {"bad@far.example", "@spam.example"}
        auth.forwards |= {
            "away@here.test": (["z@far.example"], False),
            "circle@here.test": (["circle@here.test"], False),
            "both@here.test": (["ann@here.test", "z@far.example"], False),
        }
        self.seconds = 0.0
        self.rooms = {auth.mailboxes[f"{name}@here.test"].id: name for name in ("full", "small")}

    async def sender_domain_exists(self, domain: str) -> Existence:
        return {"none.example": Existence.no, "slow.example": Existence.temporary}.get(domain, Existence.yes)

    async def room(self, items: Any) -> list[str]:
        return [self._room(each) for each in items]

    def _room(self, asked: RoomQuestion) -> str:
        kind = self.rooms.get(asked.mailbox_id)
        return "full" if kind == "full" else "never" if kind == "small" and asked.size > 1000 else "room"


def live(world: TwoDomains, **settings: Any) -> SmtpContext:
    """The context of live sessions, which asks `world`."""
    world.logins = world.auth.logins  # type: ignore[method-assign]
    shared = context(
        world,
        smtp_error_seconds=0,
        messages_per_minute=2,
        max_message_bytes=MOST,
        max_header_bytes=16 * 1024,
        **settings,
    )
    limits = ClientLimits(shared.settings, lambda: False, clock=lambda: world.seconds)
    return with_checks(replace(shared, limits=limits), world)


def with_checks(shared: SmtpContext, world: TwoDomains, *, direct: bool = False) -> SmtpContext:
    """`shared` with the checks of a live session, as `service.assemble` makes them, with empty caches."""
    auth = WithoutGrants(cast(Any, world.auth)) if direct else world.auth
    return replace(
        shared,
        authors=AuthorCheck(Batcher(auth.authors)),
        senders=SenderCheck(Batcher(auth.senders), cast(Any, world)),
        recipients=RecipientCheck(Batcher(auth.recipients), Batcher(world.room)),
    )


def simulator(shared: SmtpContext, world: TwoDomains, connections: Connections | None = None) -> Simulator:
    return Simulator(
        shared, cast(Any, world.auth), world.room, cast(Any, world), connections or Connections(Limits()), patience=9
    )


def a_case(chance: random.Random, world: TwoDomains) -> Case:
    boxes = {name: box.id for name, box in world.auth.mailboxes.items()}
    who = chance.choice(("nobody", "nobody", "auth", "auth", "grant", "off"))
    account = boxes["off@here.test" if who == "off" else chance.choice(("ann@here.test", "bob@there.test"))]
    return Case(
        client=chance.choice(("192.0.2.7", "192.0.2.8", "2001:db8::7", "::ffff:192.0.2.9")),
        listener=chance.choice(("smtp", "smtp", "submission", "smtps")),
        direct=chance.random() < 0.1,
        helo=chance.choice(NAMES) if chance.random() < 0.2 else "client.example",
        auth=account if who in ("auth", "off") else None,
        grant=account if who == "grant" else None,
        mail_from=chance.choice(SENDERS),
        recipients=chance.choices(RECIPIENTS, k=chance.randint(1, 4)),
        size=chance.choice((None, None, 10, 900, 1500, MOST, MOST + 1)),
        header=chance.choice(HEADERS),
    )


async def dialogue(shared: SmtpContext, world: TwoDomains, case: Case) -> list[str]:
    """The replies to a client that does over a connection what `case` says."""
    boxes = {box.id: box for box in world.auth.mailboxes.values()}
    address = str(case.client).removeprefix("::ffff:")
    if case.grant is not None:
        world.auth.grants[address, case.grant] = world.auth.now()
    talk = Dialogue(shared, Peer(address, 1, case.listener, case.listener == "smtps", case.direct))
    said = [await talk.say()]

    async def command(line: str) -> bool:
        said.append(await talk.say(line.encode() + b"\r\n"))
        return said[-1][:1] in b"23" and bool(said[-1])

    try:
        if not await command(f"EHLO {case.helo}"):
            return texts(said)
        if case.auth is not None:
            given = f"\0{boxes[case.auth].address}\0secret".encode()
            if not await command(f"AUTH PLAIN {base64.b64encode(given).decode()}"):
                return texts(said)
        size = "" if case.size is None else f" SIZE={case.size}"
        wide = "" if (case.mail_from + "".join(case.recipients)).isascii() else " SMTPUTF8"
        if not await command(f"MAIL FROM:<{case.mail_from}>{size}{wide}"):
            return texts(said)
        taken = [await command(f"RCPT TO:<{each}>") for each in case.recipients]
        if any(taken) and await command("DATA"):
            said.append(await talk.say(message(case)))
        return texts(said)
    finally:
        talk.leave()
        world.auth.grants.clear()


def message(case: Case) -> bytes:
    """The message of a case as a client sends it, with its final dot."""
    text = "".join(f"{line}\r\n" for line in case.header.split("\n") if case.header).encode() + b"\r\n"
    lines = text.split(b"\r\n")[:-1]
    missing = (case.size or 0) - len(text)
    while missing > 1:
        lines.append(b"y" * (min(missing, 70) - 2))
        missing -= min(missing, 70)
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"


def texts(said: list[bytes]) -> list[str]:
    found = [each.decode().rstrip().replace("\r\n", "\n") for each in said]
    return [
        each if " queued as " not in each else each.partition(" queued as ")[0] + " queued as (queue id)"
        for each in found
    ]


def replies_of(found: Simulated) -> list[str]:
    return [step.reply for step in found.steps]


async def test_simulation_and_dialogue_agree_on_generated_cases() -> None:
    world = TwoDomains()
    shared = live(world)
    chance = random.Random(11)
    seen: Counter[str] = Counter()
    refused_at_the_dot: Counter[str] = Counter()
    for n in range(CASES):
        world.seconds += 0.5
        case = a_case(chance, world)
        simulated = await simulator(shared, world).run(case)
        real = await dialogue(with_checks(shared, world, direct=case.direct), world, case)
        assert replies_of(simulated) == real, (n, case)
        refused_at_the_dot[real[-1]] += simulated.steps[-1].command == "."
        for reply in real:
            seen[reply[:9]] += 1
    assert len(seen) >= 20, seen  # the cases reach this many different replies
    assert min(seen["250 2.0.0"], seen["550 5.7.1"], seen["450 4.7.1"]) > 0, seen
    assert refused_at_the_dot[str(replies.NOT_YOUR_FROM.render(), "ascii").rstrip()] > 5, refused_at_the_dot


async def test_a_simulation_has_no_effect_and_names_its_rules() -> None:
    world = TwoDomains()
    shared = live(world)
    connections = Connections(Limits(per_address=1, per_minute=60))
    before = counted()
    case = Case(
        client="192.0.2.7", mail_from="ann@here.test", recipients=["y@far.example", "both@here.test"], size=2000
    )
    refused = await simulator(shared, world, connections).run(case)
    account = world.auth.mailboxes["ann@here.test"].id
    granted = await simulator(shared, world, connections).run(case.model_copy(update={"grant": account}))
    for _ in range(20):
        assert replies_of(await simulator(shared, world, connections).run(case)) == replies_of(refused)
    assert counted() == before
    assert world.taken == []
    assert not world.auth.grants
    assert connections.excess("192.0.2.7") is None
    rules = [(step.command.partition(" ")[0], rule.rule, rule.refused) for step in refused.steps for rule in step.rules]
    assert rules == [
        ("(connection)", "connections", False),
        ("MAIL", "S7", False),
        ("MAIL", "right", False),
        ("MAIL", "S12", False),
        ("MAIL", "sender_identity", False),
        ("MAIL", "S16", False),
        ("MAIL", "throttled", False),
        ("RCPT", "S10", True),
        ("RCPT", "S10", False),
        (".", "S7", False),
        (".", "content", False),
    ]
    assert refused.steps[3].reply == "550 5.7.1 Sorry, that domain isn't allowed to be relayed thru this MTA"
    assert refused.account is None
    assert granted.account == account
    assert [(each.address, each.via) for each in granted.destinations] == [
        ("y@far.example", ""),
        ("ann@here.test", "both@here.test"),
        ("z@far.example", "both@here.test"),
    ]
    assert granted.steps[2].rules[1].data == {"by": "grant", "account": "ann@here.test"}


def counted() -> dict[Any, float]:
    """Everything that the gateway counts."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for metric in REGISTRY.collect()
        if metric.name.startswith("postrider_gateway")
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }


async def test_a_simulation_shows_the_limits_on_connections_and_the_size_of_the_message() -> None:
    world = TwoDomains()
    shared = live(world)
    full = Connections(Limits(per_address=1))
    assert full.take("192.0.2.7") is None
    case = Case(client="192.0.2.7", mail_from="ann@here.test", recipients=["ann@here.test"], size=MOST)
    assert replies_of(await simulator(shared, world, full).run(case)) == [
        "421 4.7.0 Too many connections, try again later"
    ]
    fits = await simulator(shared, world).run(case)
    assert fits.accepted
    assert fits.steps[-1].rules[0].data == {"size": MOST, "most": MOST}
    assert shared.bodies.bytes == 0
