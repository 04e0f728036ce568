"""The limit on octets of bodies in memory, of all sessions of the process together (decision 3)."""

from smtp_gateway import metrics


class BodyBudget:
    """A limit of `most` octets; `bytes` of them are taken."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.bytes = 0

    def take(self, count: int) -> bool:
        """Reserve `count` octets; False, with nothing reserved, if the limit would be exceeded."""
        if self.bytes + count > self._most:
            return False
        self.bytes += count
        metrics.HELD.set(self.bytes)
        return True

    def give_back(self, count: int) -> None:
        self.bytes -= count
        metrics.HELD.set(self.bytes)
