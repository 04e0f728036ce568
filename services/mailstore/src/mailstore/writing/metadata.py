"""SETMETADATA: annotations are set and removed in one operation that locks the mailbox's row (RFC 5464 4.3)."""

from mailkit.errors import BadRequest
from mailkit.process.clock import Clock
from mailstore.storage.annotations import ACCOUNT
from mailstore.storage.operations import Operations
from mailstore_api.wire import (
    LARGEST_ANNOTATION,
    LONGEST_ENTRY,
    MOST_ANNOTATION_OCTETS,
    MOST_ANNOTATIONS,
    MOST_ANNOTATIONS_A_FOLDER,
    ChangedMetadata,
    MetadataChange,
)


class MetadataWriter:
    """Changes of annotations."""

    def __init__(self, operations: Operations, clock: Clock) -> None:
        self._operations = operations
        self._clock = clock

    async def change(self, change: MetadataChange) -> ChangedMetadata:
        """Set annotations, all or none. Raises BadRequest for values and names that the front end should have refused."""
        wanted = {item.entry: item.value for item in change.items}
        if any(len(entry) > LONGEST_ENTRY for entry in wanted) or any(
            len(value or b"") > LARGEST_ANNOTATION for value in wanted.values()
        ):
            raise BadRequest("an annotation's name or value is too long")
        values = {entry: value for entry, value in wanted.items() if value is not None}
        async with self._operations.operation(
            change.mailbox_id, change.operation_id, ChangedMetadata, self._clock.now()
        ) as operation:
            if operation.answered is not None:
                return operation.answered
            folder_id = (await operation.folders.ids()).get(change.name) if change.name else ACCOUNT
            if folder_id is None:
                return ChangedMetadata("nonexistent")
            kept = [
                each
                for each in await operation.annotations.sizes()
                if each.folder_id != folder_id or each.entry not in wanted
            ]
            in_folder = sum(each.folder_id == folder_id for each in kept) + len(values)
            octets = sum(each.octets for each in kept) + sum(map(len, values.values()))
            if values and (
                in_folder > MOST_ANNOTATIONS_A_FOLDER
                or len(kept) + len(values) > MOST_ANNOTATIONS
                or octets > MOST_ANNOTATION_OCTETS
            ):
                return ChangedMetadata("toomany")
            await operation.annotations.change(folder_id, values, [each for each in wanted if each not in values])
            operation.notify()
            return await operation.remember(ChangedMetadata("ok"))
