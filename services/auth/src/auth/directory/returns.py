"""The senders with which forwarded mail leaves, and where bounces to them go (SRS; docs/decisions/0093)."""

from collections.abc import Sequence

from auth.addresses import RecipientAddress, Sender, recipient_of
from auth.storage.srs import SrsKeys
from mailauth import srs
from mailkit.mail.address import Address, BadAddress, normalise_domain, parse_address
from mailkit.process.clock import Clock

#: How long the keys are not read again (seconds); a new one is used only later.
KEYS_SECONDS = 60.0


class Returns:
    """Rewrites senders, and finds the address that a rewritten one leads back to. `load` is called before a list."""

    def __init__(self, keys: SrsKeys, clock: Clock, domain: str, classic: Sequence[bytes] = ()) -> None:
        """`domain`: of the rewritten senders, "" if none are. `classic`: keys of another forwarder that was here before."""
        self._store = keys
        self._clock = clock
        self._domain = domain
        self._classic = classic
        self._keys: list[bytes] = []
        self._read = float("-inf")

    async def load(self) -> None:
        """Read the keys if it is time. Raises Unavailable."""
        if self._domain and self._clock.timestamp() - self._read >= KEYS_SECONDS:
            self._keys = await self._store.all(self._clock.now())
            self._read = self._clock.timestamp()

    def concerns(self, address: RecipientAddress | Sender) -> bool:
        """Return whether an address is the sender of mail that was forwarded, or claims to be."""
        return bool(self._domain) and address.domain == self._domain and srs.is_srs(address.key)

    def original(self, recipient: RecipientAddress) -> RecipientAddress | None:
        """Return where mail for a recipient that `concerns` goes; None if it is forged or older than 21 days."""
        local, now = parse_address(recipient.address).local, self._clock.timestamp()
        found = srs.original(local, self._keys, now=now)
        if found is None and self._classic:
            found = srs.original(local, self._classic, now=now, form=srs.CLASSIC)
        if found is None:
            return None
        local, _, domain = found.rpartition("@")
        try:
            return recipient_of(Address(local, normalise_domain(domain)))
        except BadAddress:
            return None

    def sender(self, mail_from: str) -> str:
        """Return the sender with which mail from `mail_from` is forwarded elsewhere; "" if it keeps its own."""
        if not self._keys:
            return ""
        try:
            address = parse_address(mail_from)
        except BadAddress:  # the null sender, and what is no address
            return ""
        now = self._clock.timestamp()
        if address.domain == self._domain and srs.original(address.local, self._keys, now=now) is not None:
            return ""  # forwarded here before
        return srs.rewrite(str(address), self._domain, self._keys[0], now=now) or ""
