"""`python -m queue_worker [serve|migrate|wait-schema|openapi]`."""

from collections.abc import Sequence

from mailkit.postgres.command import Owned, schema_verbs
from mailkit.process.command import Program, main
from queue_worker.config import QueueSettings


def schemas(settings: QueueSettings) -> Sequence[Owned]:
    """Return the schemas that this service migrates: `bodies`, then `queue`."""
    return [Owned(settings.bodies_dsn, "bodystore", "bodies"), Owned(settings.dsn, "queue_worker", "queue")]


if __name__ == "__main__":
    main(
        Program(
            "queue-worker",
            "queue_worker",
            QueueSettings,
            schema_verbs("queue_worker", schemas, "queue"),
            has_api=True,
            traces=True,
        )
    )
