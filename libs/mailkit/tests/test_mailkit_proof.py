"""Proofs of login and secrets in comma lists: what is accepted, and how a key or token is replaced without a gap."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from mailkit.errors import ConfigError, Unauthorised, Unproven
from mailkit.ids import new_id
from mailkit.process.config import secret_list
from mailkit.rpc.authority import Tokens
from mailkit.rpc.client import ServiceClient
from mailkit.rpc.proof import ProofKeys, expires

OLD, NEW = b"o" * 32, b"n" * 32


def test_a_proof_is_good_for_its_mailbox_until_it_runs_out():
    keys, box = ProofKeys([OLD]), new_id()
    proof = keys.sign(box, 7, 1000.9)
    assert keys.check(box, proof, 999.9) == 7 and expires(proof) == 1000
    for mailbox, at in ((box, 1000), (new_id(), 1)):
        with pytest.raises(Unproven):
            keys.check(mailbox, proof, at)
    assert keys.check(box, proof, 1049.9, grace=50) == 7


@given(st.data())
def test_no_octet_of_it_can_be_changed(data):
    keys, box = ProofKeys([OLD]), new_id()
    proof = bytearray(keys.sign(box, 7, 1000))
    at = data.draw(st.integers(0, len(proof) - 1))
    proof[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Unproven):
        keys.check(box, bytes(proof), 1)


@given(st.binary(max_size=60))
def test_what_is_no_proof_is_refused(octets):
    with pytest.raises(Unproven):
        ProofKeys([OLD]).check(new_id(), octets, 0)


def test_a_key_is_replaced_without_a_gap():
    """Each step is in force at one service before the other: every pair of services understands each other."""
    box = new_id()
    steps = [ProofKeys(keys) for keys in ([OLD], [OLD, NEW], [NEW, OLD], [NEW])]
    for before, after in itertools.pairwise(steps):
        assert before.check(box, after.sign(box, 1, 10), 1) == after.check(box, before.sign(box, 1, 10), 1) == 1
    with pytest.raises(Unproven):
        steps[3].check(box, steps[0].sign(box, 1, 10), 1)


def test_a_token_is_replaced_without_a_gap():
    """What a caller sends is the first of its list; any of the list is accepted."""

    def sent(setting: str) -> bytes:
        client = ServiceClient("http://127.0.0.1:1", SecretStr(setting))
        return client._connections._headers["authorization"].encode()

    steps = ["old", "old, new", "new,old", "new"]
    for before, after in itertools.pairwise(steps):
        assert Tokens({"gateway": SecretStr(before)}).named(sent(after)) == "gateway"
        assert Tokens({"gateway": SecretStr(after)}).named(sent(before)) == "gateway"
    with pytest.raises(Unauthorised):
        Tokens({"gateway": SecretStr("new")}).named(sent("old"))
    for nothing in ("", ",", " , "):
        assert secret_list(nothing) == []
        with pytest.raises(Unauthorised):
            Tokens({"gateway": SecretStr(nothing)}).named(sent(nothing))


@pytest.mark.parametrize("setting", ["", ",", "k" * 31, f"{'k' * 32},{'k' * 31}"])
def test_no_key_or_a_short_one_is_one_sentence_without_the_key(setting):
    with pytest.raises(ConfigError, match="POSTRIDER_PROOF_KEY") as raised:
        ProofKeys.load(SecretStr(setting))
    assert "kkk" not in str(raised.value)
