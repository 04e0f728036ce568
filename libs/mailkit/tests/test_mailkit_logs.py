"""Addresses in log lines, where a setting hides them."""

from mailkit.process.logs import Hidden


def test_every_address_in_a_line_is_a_keyed_hash() -> None:
    line = {
        "event": "failed",
        "n": 0,
        "from": "",
        "to": ["Ann@far.test", "bob@far.test"],
        "text": "while talking to mx.far.test.:\n>>> RCPT To:<ann@far.test>\n<<< 550 no <ann@far.test>, at @ or user@",
        "filter": {"sender": "ann@far.test"},
    }
    found = Hidden(b"key")(None, "info", dict(line))
    ann, bob = found["to"]
    assert ann.startswith("address-") and len(ann) == 24
    assert bob != ann
    assert found["text"] == line["text"].replace("ann@far.test", ann), "the rest is as it was"
    assert found["filter"] == {"sender": ann}
    assert (found["event"], found["n"], found["from"]) == ("failed", 0, "")
    assert Hidden(b"another")(None, "info", dict(line))["to"][0] != ann
