"""The schema's name, separate so that the service does not import SQLAlchemy."""

SCHEMA = "auth"
