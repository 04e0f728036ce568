"""GETMETADATA (RFC 5464 4.2), and the state of all annotations for sessions that follow them."""

from mailstore.model.folder_names import INBOX
from mailstore.reading.octets import Octets
from mailstore.storage.annotations import ACCOUNT, Annotations
from mailstore_api.wire import (
    MOST_ANNOTATION_OCTETS,
    Annotation,
    AnnotationVersion,
    FoundMetadata,
    MetadataQuestion,
    MetadataState,
    MetadataStateQuestion,
)


class MetadataReader:
    """The annotations of mailboxes."""

    def __init__(self, annotations: Annotations, octets: Octets) -> None:
        self._annotations = annotations
        self._octets = octets

    async def read(self, question: MetadataQuestion) -> FoundMetadata:
        """Return the annotations asked for, and the size of the longest that is above `most_octets`."""
        mailbox_id, name = question.mailbox_id, question.name
        folder_id = await self._annotations.folder_id(mailbox_id, name) if name else ACCOUNT
        if folder_id is None:
            return FoundMetadata("ok" if name == INBOX else "nonexistent")  # a new mailbox has no rows yet
        async with self._octets.of(mailbox_id, MOST_ANNOTATION_OCTETS):
            rows = await self._annotations.of(mailbox_id, folder_id)
            found = [
                row for row in rows if any(_matches(row.entry, entry, question.depth) for entry in question.entries)
            ]
            shown = [row for row in found if question.most_octets < 0 or len(row.value) <= question.most_octets]
            longest = max((len(row.value) for row in found), default=0) if len(shown) < len(found) else 0
            return FoundMetadata("ok", [Annotation(row.entry, row.value) for row in shown], longest)

    async def state(self, question: MetadataStateQuestion) -> MetadataState:
        """Return all annotations' versions, none if nothing changed since `known_version`."""
        version = await self._annotations.version(question.mailbox_id)  # before the rows, which may be newer
        if version == question.known_version:
            return MetadataState(version)
        rows = await self._annotations.sizes(question.mailbox_id)
        return MetadataState(version, [AnnotationVersion(row.folder_id, row.entry, row.version) for row in rows])


def _matches(entry: str, asked: str, depth: int) -> bool:
    """Whether an entry is `asked`, or below it at most `depth` levels (RFC 5464 4.2.2); -1: at any depth."""
    if entry == asked:
        return True
    return depth != 0 and entry.startswith(asked + "/") and (depth < 0 or entry.count("/") - asked.count("/") <= depth)
