"""Generated mail, the same at each run: senders, subjects, replies, HTML and attachments as a mailbox has them."""

import base64
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

#: Messages that differ; message n of a folder has the octets of message n % TEXTS.
TEXTS = 1000
#: A word in every 50th From, every 100th Subject and every 200th text, for SEARCH.
FROM_WORD, FROM_EVERY = "Quarles", 50
SUBJECT_WORD, SUBJECT_EVERY = "Zanzibar", 100
TEXT_WORD, TEXT_EVERY = "xylograph", 200
#: Number of messages, of 3 KB on average, that fit into a mailbox.
MOST_LONG = 400_000
#: One in this number of messages is unseen.
UNSEEN_EVERY = 20
#: INTERNALDATEs are spread evenly over this time.
FIRST_DAY, DAYS = datetime(2024, 1, 1, tzinfo=UTC), 1000

_WORDS = [
    "able",
    "account",
    "address",
    "agree",
    "amount",
    "answer",
    "area",
    "bank",
    "board",
    "book",
    "bring",
    "budget",
    "build",
    "call",
    "change",
    "check",
    "city",
    "close",
    "contract",
    "copy",
    "cost",
    "count",
    "date",
    "deal",
    "detail",
    "draft",
    "email",
    "even",
    "evening",
    "example",
    "export",
    "file",
    "final",
    "follow",
    "general",
    "give",
    "group",
    "hand",
    "hold",
    "house",
    "idea",
    "invoice",
    "issue",
    "item",
    "join",
    "keep",
    "kind",
    "large",
    "last",
    "later",
    "leave",
    "letter",
    "level",
    "line",
    "list",
    "local",
    "main",
    "march",
    "market",
    "matter",
    "meeting",
    "member",
    "month",
    "morning",
    "move",
    "name",
    "need",
    "news",
    "note",
    "number",
    "offer",
    "office",
    "open",
    "order",
    "page",
    "paper",
    "part",
    "people",
    "phone",
    "place",
    "plan",
    "point",
    "power",
    "present",
    "price",
    "project",
    "question",
    "rate",
    "reach",
    "read",
    "reason",
    "receive",
    "report",
    "rest",
    "result",
    "review",
    "room",
    "school",
    "send",
    "service",
    "share",
    "ship",
    "side",
    "sign",
    "small",
    "start",
    "state",
    "stock",
    "street",
    "study",
    "summer",
    "supply",
    "system",
    "table",
    "talk",
    "team",
    "term",
    "test",
    "thank",
    "time",
    "today",
    "travel",
    "turn",
    "update",
    "view",
    "visit",
    "wait",
    "water",
    "week",
    "winter",
    "word",
    "work",
    "year",
]
_NAMES = [
    "Anna",
    "Boris",
    "Carla",
    "David",
    "Elena",
    "Frank",
    "Greta",
    "Hugo",
    "Irene",
    "Jakob",
    "Karin",
    "Lukas",
    "Maria",
    "Nils",
    "Olga",
    "Peter",
]
_SURNAMES = [
    "Adler",
    "Berg",
    "Conrad",
    "Dietz",
    "Ebert",
    "Falk",
    "Gruber",
    "Huber",
    "Imhof",
    "Jansen",
    "Keller",
    "Lang",
    "Moser",
    "Neumann",
    "Otto",
    "Pohl",
]


def texts(count: int) -> list[bytes]:
    """The TEXTS messages for a folder of `count`, each with its final CRLF; a million short ones fit into the largest quota."""
    chance = random.Random(10)
    return [_text(number, chance, short=count > MOST_LONG) for number in range(TEXTS)]


def matching(every: int, count: int) -> int:
    """How many of the first `count` messages of a folder have the word that every `every`th text has."""
    whole, rest = divmod(count, TEXTS)
    return whole * (TEXTS // every) + -(-rest // every)


def received(number: int, count: int) -> datetime:
    """INTERNALDATE of message `number` of `count`."""
    return FIRST_DAY + timedelta(days=DAYS) * number / count


def _text(number: int, chance: random.Random, *, short: bool) -> bytes:
    def words(least: int, most: int) -> str:
        return " ".join(chance.choices(_WORDS, k=chance.randint(least, most)))

    surname = FROM_WORD if number % FROM_EVERY == 0 else chance.choice(_SURNAMES)
    name = chance.choice(_NAMES)
    topic = words(2, 7) + (f" {SUBJECT_WORD}" if number % SUBJECT_EVERY == 0 else "")
    body = "\r\n".join(words(8, 14) for _ in range(chance.randint(1, 3) if short else chance.randint(4, 60)))
    if number % TEXT_EVERY == 0:
        body += f"\r\nthe {TEXT_WORD} of the day"
    head = [
        f"Received: from mx.far{number % 37}.example by mx.bench.test with ESMTPS id {number:x}; "
        f"{format_datetime(FIRST_DAY + timedelta(hours=number))}",
        f'From: "{name} {surname}" <{name}.{surname}@far{number % 37}.example>',
        "To: " + ", ".join(f"{chance.choice(_NAMES)} <u{number}-{n}@bench.test>" for n in range(chance.randint(1, 4))),
        f"Subject: {'Re: ' if number % 3 else ''}{topic}",
        f"Date: {format_datetime(FIRST_DAY + timedelta(hours=number))}",
        f"Message-ID: <{number}@far.example>",
        "MIME-Version: 1.0",
    ]
    if number % 3:
        head += [
            f"In-Reply-To: <{number - number % 3}@far.example>",
            f"References: <{number - number % 3}@far.example>",
        ]
    if number % 10 < 7:
        head += ["Content-Type: text/plain; charset=utf-8"]
    elif number % 10 < 9:
        head += [f'Content-Type: multipart/alternative; boundary="b{number}"']
        body = _parts(
            number,
            ("text/plain; charset=utf-8", body),
            ("text/html; charset=utf-8", f"<p>{words(2, 9) if short else words(20, 200)}</p>"),
        )
    else:
        head += [f'Content-Type: multipart/mixed; boundary="b{number}"']
        data = base64.encodebytes(chance.randbytes(100 if short else 3000)).decode().replace("\n", "\r\n")
        file = f'application/pdf; name="f{number}.pdf"\r\nContent-Transfer-Encoding: base64'
        body = _parts(number, ("text/plain; charset=utf-8", body), (file, data))
    return ("\r\n".join(head) + "\r\n\r\n" + body + "\r\n").encode()


def _parts(number: int, *parts: tuple[str, str]) -> str:
    pieces = [f"--b{number}\r\nContent-Type: {kind}\r\n\r\n{text}\r\n" for kind, text in parts]
    return "".join(pieces) + f"--b{number}--"
