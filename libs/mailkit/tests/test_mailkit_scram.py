"""SCRAM-SHA-256: the example of RFC 7677, messages that are refused, and SASLprep beside another implementation."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from passlib.utils import saslprep as passlib_saslprep

from mailkit.mail.sasl import Exchange, Malformed
from mailkit.mail.saslprep import saslprep
from mailkit.mail.scram import Offer, Proof, auth_message, conclude, scram
from mailkit.mail.scram_keys import derive

# RFC 7677 3
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
CLIENT_FIRST = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
WITHOUT_PROOF = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
PROOF = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
SERVER_FINAL = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


async def exchange(*messages: str, signature: bytes = b"") -> tuple[Proof, list[str]]:
    left, sent = [base64.b64encode(message.encode()) for message in messages], []

    async def challenge(text: bytes) -> bytes:
        sent.append(base64.b64decode(text).decode())
        return left.pop(0)

    async def offer(user: str, nonce: str) -> Offer:
        return Offer(SALT, 4096, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")

    talk = Exchange(b"", challenge)
    found = await scram(talk, offer)
    await conclude(talk, signature)
    return found, sent


async def test_the_example_of_rfc_7677():
    keys = derive("pencil", SALT, 4096)
    signature = base64.b64decode(SERVER_FINAL[2:])
    found, sent = await exchange(CLIENT_FIRST, f"{WITHOUT_PROOF},p={PROOF}", "", signature=signature)
    assert sent == ["", SERVER_FIRST, SERVER_FINAL]
    assert (found.user, found.client_first, found.client_final) == ("user", CLIENT_FIRST[3:], WITHOUT_PROOF)
    message = auth_message(found.client_first, found.nonce, SALT, 4096, found.client_final)
    assert keys.check(message, found.proof) and keys.signature(message) == signature
    assert not keys.check(message, found.proof + b"x")
    assert not derive("pencil2", SALT, 4096).check(message, found.proof)


@pytest.mark.parametrize(
    ("first", "user"),
    [
        ("y,,n=user,r=rOprNGfwEbeRWgbNEkqO", "user"),
        ("n,a=user,n=user,r=rOprNGfwEbeRWgbNEkqO,x=ignored", "user"),
        ("n,,n=a=2Cb=3Dc,r=rOprNGfwEbeRWgbNEkqO", "a,b=c"),
        ("n,,n=zoë,r=rOprNGfwEbeRWgbNEkqO", "zoë"),
    ],
)
async def test_forms_of_the_first_message(first, user):
    header = first[: first.index("n=", 1)]
    coded = base64.b64encode(header.encode()).decode()
    found, _ = await exchange(first, f"c={coded},{WITHOUT_PROOF[7:]},p={PROOF}")
    assert found.user == user


@pytest.mark.parametrize(
    "first",
    [
        "",
        "n",
        "n,,",
        "n,,r=x,n=user",
        "n,,n=user",
        "n,,n=user,r=",
        "n,,n=,r=x",
        "n,,n=user,r=a b",
        "n,,n=user,r=" + "x" * 257,
        "n,,n=user,r=ä",
        "n,,n=a=b,r=x",
        "n,,n=a=,r=x",
        "n,,m=ext,n=user,r=x",
        "n,,n=user,r=x,m=ext",
        "n,,n=user,r=x,",
        "n,,n=user\0,r=x",
        "n,x=user,n=user,r=x",
        "n,a=other,n=user,r=x",
        "p=tls-exporter,,n=user,r=x",
        "N,,n=user,r=x",
    ],
)
async def test_malformed_first_messages(first):
    with pytest.raises(Malformed):
        await exchange(first)


@pytest.mark.parametrize(
    "final",
    [
        "",
        WITHOUT_PROOF,
        f"{WITHOUT_PROOF},p=!",
        f"{WITHOUT_PROOF}x,p={PROOF}",
        f"c=eSws,{WITHOUT_PROOF[7:]},p={PROOF}",  # y,, where the client began with n,,
        f"c=bi,{WITHOUT_PROOF[7:]},p={PROOF}",
        f"{WITHOUT_PROOF[7:]},c=biws,p={PROOF}",
        f"{WITHOUT_PROOF},m=ext,p={PROOF}",
        f"{WITHOUT_PROOF},p={PROOF},x=y",
    ],
)
async def test_malformed_final_messages(final):
    with pytest.raises(Malformed):
        await exchange(CLIENT_FIRST, final)


async def test_the_answer_to_the_servers_last_message_is_empty():
    with pytest.raises(Malformed):
        await exchange(CLIENT_FIRST, f"{WITHOUT_PROOF},p={PROOF}", "x", signature=b"x")


# RFC 4013 3
@pytest.mark.parametrize(
    ("text", "prepared"),
    [("I\u00adX", "IX"), ("user", "user"), ("USER", "USER"), ("\u00aa", "a"), ("\u2168", "IX"), ("\u00a0x", " x")],
)
def test_saslprep(text, prepared):
    assert saslprep(text) == saslprep(text, stored=True) == prepared


@pytest.mark.parametrize("text", ["\u0007", "\u0627\u0031", "a\x7f", "\ue000", "\ud800", "x\u200e"])
def test_prohibited_characters(text):
    with pytest.raises(ValueError, match="character"):
        saslprep(text)


def test_unassigned_characters_are_for_queries():
    assert saslprep("\U0001f600") == "\U0001f600"
    with pytest.raises(ValueError, match="Unicode 3.2"):
        saslprep("\U0001f600", stored=True)


@given(st.text(max_size=8))
def test_saslprep_of_stored_strings_is_passlibs(text):
    def tried(prepare):
        try:
            return prepare(text)
        except ValueError:
            return None

    assert tried(lambda one: saslprep(one, stored=True)) == tried(passlib_saslprep)


@given(
    st.text(max_size=40)
    | st.lists(st.sampled_from(["n,,", "n=", "r=", ",", "a=", "x", "=2C", "=", "m=", "\0"])).map("".join)
)
async def test_any_first_message_is_parsed_or_malformed(text):
    try:
        found, _ = await exchange(
            text, f"c=biws,r={text.partition(',r=')[2].partition(',')[0]}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=AAAA"
        )
    except Malformed:
        return
    assert found.user and "," not in found.nonce


@given(
    st.text(max_size=40)
    | st.lists(st.sampled_from(["c=biws", WITHOUT_PROOF, ",p=", ",", "r=", "=", "AAAA"])).map("".join)
)
async def test_any_final_message_is_parsed_or_malformed(text):
    try:
        found, _ = await exchange(CLIENT_FIRST, text)
    except Malformed:
        return
    assert found.client_final.startswith(WITHOUT_PROOF)
