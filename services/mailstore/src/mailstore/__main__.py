"""`python -m mailstore [serve|migrate|wait-schema|openapi]`."""

from collections.abc import Sequence

from mailkit.postgres.command import Owned, schema_verbs
from mailkit.process.command import Program, main
from mailstore.config import MailstoreSettings


def schemas(settings: MailstoreSettings) -> Sequence[Owned]:
    """Return the schemas to migrate: `bodies`, then `mailstore`."""
    return [Owned(settings.bodies_dsn, "bodystore", "bodies"), Owned(settings.dsn, "mailstore", "mailstore")]


if __name__ == "__main__":
    main(
        Program(
            "mailstore",
            "mailstore",
            MailstoreSettings,
            schema_verbs("mailstore", schemas, "mailstore"),
            has_api=True,
            traces=True,
        )
    )
