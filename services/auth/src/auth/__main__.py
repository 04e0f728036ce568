"""`python -m auth [serve|migrate|wait-schema|openapi]`."""

from collections.abc import Sequence

from auth.config import AuthSettings
from auth.storage.names import SCHEMA
from mailkit.postgres.command import Owned, schema_verbs
from mailkit.process.command import Program, main


def schemas(settings: AuthSettings) -> Sequence[Owned]:
    """Return the schema that this service migrates."""
    return [Owned(settings.dsn, "auth", SCHEMA)]


if __name__ == "__main__":
    main(Program("auth", "auth", AuthSettings, schema_verbs("auth", schemas, "auth"), has_api=True))
