"""All replies of the gateway. The texts of S10, S12, S14 and S16 are those of the contract, to the letter."""

from mailkit.mail.reply import Reply

OK = Reply(250, "2.0.0", "OK")
SENDER_OK = Reply(250, "2.1.0", "sender OK")
RECIPIENT_OK = Reply(250, "2.1.5", "recipient OK")
START_DATA = Reply(354, "", "End data with <CR><LF>.<CR><LF>")
BYE = Reply(221, "2.0.0", "Bye")
START_TLS = Reply(220, "2.0.0", "Ready to start TLS")
LOGGED_IN = Reply(235, "2.7.0", "Authentication successful")
CANNOT_VRFY = Reply(252, "2.5.0", "Cannot VRFY user, but will accept the message and attempt delivery")
HELP = Reply(214, "2.0.0", "HELO EHLO MAIL RCPT DATA RSET NOOP QUIT VRFY HELP STARTTLS AUTH BDAT")

CANNOT = Reply(554, "5.5.0", "This cannot be taken as it is")
TOO_LONG_COMMAND = Reply(500, "5.5.2", "Command line too long")
BAD_SYNTAX = Reply(500, "5.5.2", "Syntax error")
NOT_UTF8 = Reply(501, "5.5.2", "Arguments are written in UTF-8")
UNKNOWN_COMMAND = Reply(500, "5.5.1", "Command not recognized")
NO_ARGUMENT = Reply(501, "5.5.4", "This command takes no argument")
HELO_SYNTAX = Reply(501, "5.5.4", "Syntax: EHLO hostname")
MAIL_SYNTAX = Reply(501, "5.5.4", "Syntax: MAIL FROM:<address>")
RCPT_SYNTAX = Reply(501, "5.5.4", "Syntax: RCPT TO:<address>")
BDAT_SYNTAX = Reply(521, "5.5.4", "Syntax: BDAT octets [LAST]")
BAD_PARAMETER = Reply(501, "5.5.4", "Syntax error in a parameter")
UNKNOWN_PARAMETER = Reply(555, "5.5.4", "Parameter not recognized")
BAD_SENDER = Reply(501, "5.1.7", "That is not a mail address")
BAD_RECIPIENT = Reply(501, "5.1.3", "That is not a mail address")
NEEDS_SMTPUTF8 = Reply(553, "5.6.7", "An address with non-ASCII characters needs SMTPUTF8")
HELO_FIRST = Reply(503, "5.5.1", "Say EHLO first")
NESTED_MAIL = Reply(503, "5.5.1", "Nested MAIL command")
MAIL_FIRST = Reply(503, "5.5.1", "MAIL first")
RCPT_FIRST = Reply(503, "5.5.1", "RCPT first")
CHUNKS_BEGAN = Reply(503, "5.5.1", "The message is being sent in chunks, go on with BDAT")
ALREADY_TLS = Reply(503, "5.5.1", "TLS is already active")
ALREADY_LOGGED_IN = Reply(503, "5.5.1", "Already authenticated")
NO_TLS_HERE = Reply(502, "5.5.1", "STARTTLS is not available")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "Not implemented")

NEEDS_LOGIN = Reply(530, "5.7.0", "Authentication required")
NEEDS_TLS = Reply(538, "5.7.11", "Encryption required for requested authentication mechanism")
UNKNOWN_MECHANISM = Reply(504, "5.5.4", "Authentication mechanism not supported")
BAD_AUTH = Reply(501, "5.5.2", "That is not a valid authentication response")
AUTH_CANCELLED = Reply(501, "5.0.0", "Authentication cancelled")
AUTH_DURING_MAIL = Reply(503, "5.5.1", "Not during a mail transaction")
LOGIN_REFUSED = Reply(535, "5.7.8", "Authentication credentials invalid")
LOGIN_OFF = Reply(535, "5.7.1", "SMTP AUTH is off for this mailbox")
LOGIN_LATER = Reply(454, "4.7.0", "Temporary authentication failure")
LOGIN_THROTTLED = Reply(454, "4.7.0", "Too many failed logins, try again later")

NOT_RELAYED = Reply(550, "5.7.1", "Sorry, that domain isn't allowed to be relayed thru this MTA")  # S10
BADMAILFROM = Reply(554, "5.7.1", "sorry, your envelope sender is in my badmailfrom list")  # S12
NO_MAILBOX = Reply(550, "5.1.1", "Sorry, no mailbox here by that name. vpopmail (#5.1.1)")  # S14
NOT_YOUR_SENDER = Reply(550, "5.7.1", "This sender address is not yours")
NOT_FORWARDED = Reply(550, "5.7.1", "Mail that fails the DMARC policy of the domain in From is not forwarded")
NOT_YOUR_FROM = Reply(550, "5.7.1", "The address in From is not yours")
DNS_TROUBLE = Reply(451, "4.4.3", "The sender's domain cannot be looked up right now")
FROM_DNS_TROUBLE = Reply(451, "4.4.3", "The domain in From cannot be looked up right now")
FORWARD_LOOP = Reply(550, "5.4.6", "This address forwards in a circle")
MOVING_LOOP = Reply(451, "4.4.6", "The old host of this domain is still in charge of it; try again later")
MAIL_LOOP = Reply(554, "5.4.6", "This message is going in circles")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients")
TOO_MANY_BY_PLAN = Reply(452, "4.7.1", "Your plan's limit of messages or recipients is reached, try again later")
TOO_MANY_THIS_HOUR = Reply(452, "4.7.1", "Too many recipients in this hour")
TOO_MANY_MESSAGES = Reply(450, "4.7.1", "Too many messages from your address, try again later")
MAILBOX_FULL = Reply(452, "4.2.2", "The mailbox is full")
NEVER_FITS = Reply(552, "5.2.2", "The message is larger than the mailbox")

SPAM = Reply(550, "5.7.1", "This message is taken for spam")

TOO_BIG = Reply(552, "5.3.4", "Message size exceeds fixed limit")
HEADER_TOO_BIG = Reply(552, "5.3.4", "The message's header is too large")
NUL_OCTETS = Reply(550, "5.6.0", "A message holds no NUL octets")
BARE_NEWLINE = Reply(550, "5.5.2", "A message's lines end with CR LF; bare CR or LF is not accepted")
NO_ROOM = Reply(452, "4.3.1", "Insufficient system storage")
TRY_LATER = Reply(451, "4.3.0", "Temporary failure, try again later")

TOO_MANY_CONNECTIONS = Reply(421, "4.7.0", "Too many connections, try again later")
NO_PROXY_HEADER = Reply(421, "4.7.0", "PROXY header required")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors")
TIMEOUT = Reply(421, "4.4.2", "Timeout, closing connection")
ACCOUNT_CHANGED = Reply(421, "4.7.0", "The account was changed, log in again")
SHUTTING_DOWN = Reply(421, "4.3.2", "Service shutting down, try again")

#: Replies by reason, for `postrider_gateway_rejected_total`; any other reply is `other`.
_REASONS = {
    "no_relay": (NOT_RELAYED,),
    "badmailfrom": (BADMAILFROM,),
    "no_mailbox": (NO_MAILBOX,),
    "too_large": (TOO_BIG, HEADER_TOO_BIG, NEVER_FITS),
    "mailbox_full": (MAILBOX_FULL,),
    "throttled": (TOO_MANY_THIS_HOUR, TOO_MANY_BY_PLAN, TOO_MANY_MESSAGES, LOGIN_THROTTLED),
    "login_required": (NEEDS_LOGIN, NEEDS_TLS, NOT_YOUR_SENDER, NOT_YOUR_FROM),
    "login_failed": (LOGIN_REFUSED, LOGIN_OFF, BAD_AUTH, AUTH_CANCELLED, UNKNOWN_MECHANISM),
    "protocol": (
        TOO_LONG_COMMAND,
        BAD_SYNTAX,
        NOT_UTF8,
        UNKNOWN_COMMAND,
        NO_ARGUMENT,
        HELO_SYNTAX,
        MAIL_SYNTAX,
        RCPT_SYNTAX,
        BDAT_SYNTAX,
        BAD_PARAMETER,
        UNKNOWN_PARAMETER,
        BAD_SENDER,
        BAD_RECIPIENT,
        NEEDS_SMTPUTF8,
        HELO_FIRST,
        NESTED_MAIL,
        MAIL_FIRST,
        RCPT_FIRST,
        CHUNKS_BEGAN,
        ALREADY_TLS,
        ALREADY_LOGGED_IN,
        NO_TLS_HERE,
        NOT_IMPLEMENTED,
        AUTH_DURING_MAIL,
        TOO_MANY_RECIPIENTS,
        TOO_MANY_ERRORS,
    ),
    "content": (NUL_OCTETS, BARE_NEWLINE, MAIL_LOOP, FORWARD_LOOP),
    "spam": (SPAM,),
    "busy": (NO_ROOM, LOGIN_LATER),
    "away": (TRY_LATER,),
    "dns": (DNS_TROUBLE, FROM_DNS_TROUBLE),
    "dmarc": (NOT_FORWARDED,),
}
_REASON_OF = {reply: reason for reason, given in _REASONS.items() for reply in given}


_FAILS_DMARC = "This message fails the DMARC policy of "


def reason(reply: Reply) -> str:
    """Return the reason of a refusal, one of `metrics.REASONS`."""
    if reply.text.startswith(_FAILS_DMARC):
        return "dmarc"
    return "sender_domain" if reply.status == "5.1.8" else _REASON_OF.get(reply, "other")


#: The row of docs/contract.md that a refusal applies; any other has its reason.
_RULES = {
    NOT_RELAYED: "S10",
    BADMAILFROM: "S12",
    NO_MAILBOX: "S14",
    DNS_TROUBLE: "S16",
    TOO_BIG: "S7",
    MAILBOX_FULL: "P2",
    NEVER_FITS: "P2",
    NEEDS_LOGIN: "S3",
    NEEDS_TLS: "S3",
    LOGIN_REFUSED: "S3",
    LOGIN_OFF: "S3",
}
#: The row by which a message is accepted: of a client with a login, with a grant, and of any client for our mailboxes.
RULE_OF_RIGHT = {"auth": "S3", "grant": "S2", "none": "S1"}


def rule(reply: Reply) -> str:
    """Return the contract's row that a refusal applies, or else its reason."""
    return "S16" if reply.status == "5.1.8" else _RULES.get(reply) or reason(reply)


def unknown_sender_domain(written: str) -> Reply:
    """Return the reply of S16, with the address as written by the client."""
    return Reply(550, "5.1.8", f"Non-existing DNS_MX: MAIL FROM:<{written}>")


def fails_dmarc(domain: str) -> Reply:
    """Return the reply to mail that fails the policy of the domain in its From, where the operator has it refused."""
    return Reply(550, "5.7.1", f"{_FAILS_DMARC}{domain or 'the domains in From'}")


def chunk_taken(size: int) -> Reply:
    """Return the reply to a chunk that is not the last one (RFC 3030 2)."""
    return Reply(250, "2.0.0", f"{size} octets received")


def queued(queue_id: str) -> Reply:
    """Return the 250 to the final dot, the only reply that takes responsibility for a message (decision 2)."""
    return Reply(250, "2.0.0", f"queued as {queue_id}")
