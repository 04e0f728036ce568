"""AUTH at a smart host (RFC 4954), by PLAIN or LOGIN, over verified TLS only."""

from base64 import b64encode

from queue_worker.couriers import trouble
from queue_worker.couriers.conversation import Conversation, Lost
from queue_worker.couriers.replies import RemoteReply
from queue_worker.couriers.trouble import Significance, Trouble


async def log_in(talk: Conversation) -> None:
    """Authenticate `talk` if its route says so. Raises Trouble: a refusal defers mail, since an operator can repair it.

    Neither the name nor the password is in any text.
    """
    relay = talk.relay
    if relay.username is None:
        return
    if not relay.verifies or talk.tls is None:
        raise trouble.tls_failed(talk.host, "AUTH needs verified TLS")
    offered = talk.extensions.get("AUTH", "").upper().split()
    try:
        if "PLAIN" in offered:
            said, credentials = "AUTH PLAIN", f"\0{relay.username}\0{relay.password}"
            reply = await _command(talk, f"{said} {_coded(credentials)}")
        elif "LOGIN" in offered:
            said = "AUTH LOGIN"
            reply = await _command(talk, said)
            for answer in (relay.username, relay.password):
                if reply.code != 334:
                    break
                reply = await _command(talk, _coded(answer))
        else:
            text = f"The relay {talk.host} offers neither AUTH PLAIN nor AUTH LOGIN. (#4.7.4)"
            raise Trouble("4.7.4", text, talk.host, None, Significance.refused)
    except Lost as error:
        raise trouble.lost(talk.host, str(error)) from None
    if not 200 <= reply.code < 300:
        raise trouble.refused_session(talk.host, said, reply)


async def _command(talk: Conversation, line: str) -> RemoteReply:
    return await talk.command(line, talk.times.helo)


def _coded(text: str) -> str:
    return b64encode(text.encode()).decode()
