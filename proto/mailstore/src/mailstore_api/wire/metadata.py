"""Annotations of folders and of the account (RFC 5464; docs/decisions/0067)."""

from typing import Annotated, Literal
from uuid import UUID

from mailkit.rpc.wire import Wire, at_most
from mailstore_api.wire.common import VERSION

#: Limits of the annotations of a folder, of a mailbox with all its folders, and of one command; of the octets of a value and of
#: all values of a mailbox; and of the characters of an entry's name.
MOST_ANNOTATIONS_A_FOLDER = 100
MOST_ANNOTATIONS = 1000
LARGEST_ANNOTATION = 16 * 1024
MOST_ANNOTATION_OCTETS = 1024 * 1024
LONGEST_ENTRY = 200


class Annotation(Wire):
    """An entry, in lower case, and its value; None removes it."""

    entry: str
    value: bytes | None


class MetadataChange(Wire):
    """Set annotations of the folder `name`; "": of the account. All are set, or none."""

    mailbox_id: UUID
    name: str
    items: Annotated[list[Annotation], at_most(MOST_ANNOTATIONS_A_FOLDER)]
    operation_id: UUID
    version: int = VERSION
    proof: bytes = b""


class ChangedMetadata(Wire):
    """`toomany`: the folder or the mailbox would have more annotations, or more octets of them, than the limits."""

    status: Literal["ok", "nonexistent", "toomany"]


class MetadataQuestion(Wire):
    """Question for annotations of the folder `name`; "": of the account.

    `depth`: levels below each entry that are wanted as well, -1 for all. `most_octets`: larger values are not wanted; -1: any.
    """

    mailbox_id: UUID
    name: str
    entries: Annotated[list[str], at_most(MOST_ANNOTATIONS_A_FOLDER)]
    depth: int = 0
    most_octets: int = -1
    version: int = VERSION
    proof: bytes = b""


class FoundMetadata(Wire):
    """`longest`: octets of the longest value above `most_octets`, 0 if there is none."""

    status: Literal["ok", "nonexistent"]
    items: list[Annotation] = []
    longest: int = 0


class MetadataStateQuestion(Wire):
    """Question for the versions of all annotations of a mailbox. `known_version`: that of an earlier answer, -1 for none."""

    mailbox_id: UUID
    known_version: int = -1
    version: int = VERSION
    proof: bytes = b""


class AnnotationVersion(Wire):
    """An entry of a folder (0: of the account) and the version of the mailbox's annotations at which it was set."""

    folder_id: int
    entry: str
    set_at: int


class MetadataState(Wire):
    """All annotations at `metadata_version`; none if this is the known version."""

    metadata_version: int
    items: list[AnnotationVersion] = []
