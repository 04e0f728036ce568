"""The limit on octets of bodies in memory, of all sessions of the process together (decisions 3 and 136)."""

from smtp_gateway import metrics


class BodyBudget:
    """A limit of `most` octets; `bytes` of them are taken, and `promised` are kept for what clients have announced."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._clients: dict[str | None, int] = {}
        self.bytes = 0
        self.promised = 0

    def fits(self, count: int) -> bool:
        """Return whether there is room for `count` octets more."""
        return self.bytes + self.promised + count <= self._most

    def take(self, count: int) -> bool:
        """Reserve `count` octets; False, with nothing reserved, if the limit would be exceeded."""
        if not self.fits(count):
            return False
        self.bytes += count
        metrics.HELD.set(self.bytes)
        return True

    def give_back(self, count: int) -> None:
        self.bytes -= count
        metrics.HELD.set(self.bytes)

    def promise(self, client: str | None, count: int) -> "Promise | None":
        """Keep room for `count` octets that `client` has announced and not sent yet; None if there is none.

        A client may have half of the limit kept, since it has sent nothing for it.
        """
        kept = self._clients.get(client, 0) + count
        if count and (not self.fits(count) or kept > self._most // 2):
            return None
        self.keep(client, count)
        return Promise(self, client, count)

    def keep(self, client: str | None, count: int) -> None:
        """Change what is kept for `client` by `count` octets."""
        self.promised += count
        kept = self._clients.pop(client, 0) + count
        if kept:
            self._clients[client] = kept


class Promise:
    """Room for one message: as much as was announced, and more as octets arrive, while there is any."""

    def __init__(self, budget: BodyBudget, client: str | None, count: int) -> None:
        self._budget = budget
        self._client = client
        self._left = count

    def take(self, count: int) -> bool:
        """Take `count` octets that have arrived; False, with nothing taken, if they are more than there is room for."""
        self._give_up(min(count, self._left))
        return self._budget.take(count)

    def give_back(self, count: int) -> None:
        """Give back octets that were taken."""
        self._budget.give_back(count)

    def end(self) -> None:
        """Keep no more room for what has not arrived; a second call does nothing."""
        self._give_up(self._left)

    def _give_up(self, count: int) -> None:
        self._budget.keep(self._client, -count)
        self._left -= count
