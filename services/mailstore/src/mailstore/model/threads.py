"""THREAD: messages as replies of others, or as those of one subject (RFC 5256 3). Pure; time is linear but for sorting.

Nothing recurses, so that a chain of any length may come. A tree is given as its nodes in pre-order with their depths.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

NOBODY = -1
"""In place of a parent: none."""


class Threaded(NamedTuple):
    """What THREAD compares of a message."""

    uid: int
    sent: float
    subject: str
    """The base subject."""
    derived: bool
    """Whether the subject is that of a reply or forward."""
    message_id: str = ""
    references: str = ""
    """Message ids, the oldest first, joined by LF."""


class Tree(NamedTuple):
    """Nodes in pre-order: the UID, or 0 for a parent that is not there, and the depth of each."""

    uids: list[int]
    depths: list[int]


def by_subject(messages: Sequence[Threaded]) -> Tree:
    """Return the threads of ORDEREDSUBJECT: those of one base subject are children of the first one sent."""
    threads: dict[str, list[Threaded]] = {}
    for message in sorted(messages, key=_sent):  # stable: of equal times, the order of the mailbox
        threads.setdefault(message.subject, []).append(message)
    tree = Tree([], [])
    for thread in sorted(threads.values(), key=lambda thread: _sent(thread[0])):
        tree.uids.extend(message.uid for message in thread)
        tree.depths.extend([0, *[1] * (len(thread) - 1)])
    return tree


def by_references(messages: Sequence[Threaded]) -> Tree:
    """Return the threads of REFERENCES.

    The parent that a message names itself (step 1.B) is linked before what other messages say about it (1.A). The result is that
    of the RFC, unless references contradict each other in a loop: then the links of 1.B are those that stay.
    """
    links = _Links(messages)
    links.link()
    roots, children = links.pruned()
    forest = _Forest(messages, children)
    return forest.tree(forest.merged(forest.sorted(roots)))


def _sent(message: Threaded) -> float:
    return message.sent


class _Links:
    """Parents of nodes: of messages, by their place, and after them of dummies, for ids of messages that are not there."""

    def __init__(self, messages: Sequence[Threaded]) -> None:
        self._messages = messages
        self._nodes: dict[str, int] = {}
        for at, message in enumerate(messages):
            if message.message_id:
                self._nodes.setdefault(message.message_id, at)  # the first of equal ids has it
        self.parents = [NOBODY] * len(messages)
        self._roots = list(range(len(messages)))

    def link(self) -> None:
        ancestors = [
            [self._node(each) for each in message.references.split("\n")] if message.references else []
            for message in self._messages
        ]
        for at, nodes in enumerate(ancestors):
            if nodes:
                self._connect(nodes[-1], at)
        count = len(self._messages)
        for at, nodes in enumerate(ancestors):
            for parent, child in pairwise(nodes):
                # a message without a parent of its own gets one from later messages only
                if self.parents[child] == NOBODY and (child >= count or child < at):
                    self._connect(parent, child)

    def _node(self, message_id: str) -> int:
        node = self._nodes.setdefault(message_id, len(self.parents))
        if node == len(self.parents):
            self.parents.append(NOBODY)
            self._roots.append(node)
        return node

    def _connect(self, parent: int, child: int) -> None:
        """Link `child`, which has no parent, unless it is an ancestor of `parent`."""
        root = self._root(parent)
        if root != child:
            self.parents[child] = parent
            self._roots[child] = root

    def _root(self, node: int) -> int:
        path = []
        while self._roots[node] != node:
            path.append(node)
            node = self._roots[node]
        for each in path:
            self._roots[each] = node
        return node

    def pruned(self) -> tuple[list[int], dict[int, list[int]]]:
        """Return the roots, in the order of the mailbox, and the children of nodes, without dummies below a root (step 3).

        A dummy stays as a root with two children or more.
        """
        count, parents = len(self._messages), self.parents
        children: dict[int, list[int]] = {}
        for node, parent in enumerate(parents):
            if parent != NOBODY:
                children.setdefault(parent, []).append(node)
        roots, kept = [], dict[int, list[int]]()
        todo = [(node, node) for node in reversed(range(len(parents))) if parents[node] == NOBODY]
        anchors = []
        while todo:
            node, anchor = todo.pop()
            if node == anchor:
                anchors.append(node)
            elif node < count:
                kept.setdefault(anchor, []).append(node)
            below = anchor if node >= count else node
            todo.extend((child, below) for child in reversed(children.get(node, ())))
        for node in anchors:
            if node < count:
                roots.append(node)
            elif len(found := kept.get(node, [])) == 1:
                roots += kept.pop(node)
            elif found:
                roots.append(node)
        return roots, kept


class _Forest:
    """Steps 4 to 6. Nodes that are no messages are dummies, which have children."""

    def __init__(self, messages: Sequence[Threaded], children: dict[int, list[int]]) -> None:
        self._messages = messages
        self._children = children
        self._next = max(len(messages), *(children or [0])) + 1

    def _is_dummy(self, node: int) -> bool:
        return node >= len(self._messages)

    def _first(self, node: int) -> int:
        """The message that stands for a root: of a dummy, its first child."""
        return self._children[node][0] if self._is_dummy(node) else node

    def _key(self, node: int) -> tuple[float, int]:
        first = self._first(node)
        return self._messages[first].sent, first

    def sorted(self, roots: Iterable[int]) -> list[int]:
        """Step 4: sort the roots by the sent date."""
        for node in roots:
            if self._is_dummy(node):
                self._children[node].sort(key=self._key)
        return sorted(roots, key=self._key)

    def merged(self, roots: list[int]) -> list[int]:
        """Step 5: merge the threads of one subject."""
        heads: dict[str, int] = {}
        for node in roots:
            message = self._messages[self._first(node)]
            if not message.subject:
                continue
            known = heads.setdefault(message.subject, node)
            if not self._is_dummy(known) and (
                self._is_dummy(node) or (self._messages[known].derived and not message.derived)
            ):
                heads[message.subject] = node
        left: dict[int, None] = dict.fromkeys(roots)
        for node in roots:
            subject = self._messages[self._first(node)].subject
            head = heads[subject] if subject else node
            if head == node or node not in left:
                continue
            if self._is_dummy(head) and self._is_dummy(node):
                self._children[head] += self._children.pop(node)
            elif self._is_dummy(head) or (self._messages[node].derived and not self._messages[head].derived):
                self._children.setdefault(head, []).append(node)
            else:
                dummy, self._next = self._next, self._next + 1
                self._children[dummy] = [head, node]
                heads[subject] = dummy
                del left[head]
                left[dummy] = None
            del left[node]
        return list(left)

    def tree(self, roots: list[int]) -> Tree:
        """Step 6: sort all siblings by the sent date, and return the nodes in pre-order."""
        for siblings in self._children.values():
            siblings.sort(key=self._key)
        found = Tree([], [])
        todo = [(node, 0) for node in sorted(roots, key=self._key, reverse=True)]
        while todo:
            node, depth = todo.pop()
            found.uids.append(0 if self._is_dummy(node) else self._messages[node].uid)
            found.depths.append(depth)
            todo.extend((child, depth + 1) for child in reversed(self._children.get(node, ())))
        return found


ALGORITHMS: dict[str, Callable[[Sequence[Threaded]], Tree]] = {
    "ORDEREDSUBJECT": by_subject,
    "REFERENCES": by_references,
}
