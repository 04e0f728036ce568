"""Odd messages of here.test to sign, all of them different: folded, repeated and UTF-8 fields, 8-bit text, long lines, white space everywhere, or no body."""

import random

PIECES = (
    b"word",
    b" ",
    b"  ",
    b"\t",
    b"\r\n",
    b"\r\n\r\n",
    b" \r\n",
    "ä€".encode(),
    b"\xff\xe9",
    b"x" * 1200,
    b".",
    b"From ",
)


def corpus(count: int) -> list[bytes]:
    """The first `count` messages, the same ones each time."""
    dice = random.Random(3)
    made = []
    for _ in range(count):
        head = [
            b"From: Joe <joe@here.test>",
            b"To: a@far.test,\r\n  b@far.test",
            b"Subject:" + dice.choice(PIECES).strip(),
        ]
        head += [b"X-Long: " + b"y" * dice.randrange(990), 'Cc: "ä" <ü@far.test>'.encode()][: dice.randrange(3)]
        head += [b"List-Id: <l.here.test>"] * dice.randrange(3)
        dice.shuffle(head)
        body = b"".join(dice.choice(PIECES) for _ in range(dice.randrange(40)))
        made.append(b"\r\n".join(head) + b"\r\n\r\n" + (body + b"\r\n" if body else b""))
    return made
