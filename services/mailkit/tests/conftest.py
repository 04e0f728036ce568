"""Postgres for the tests that need one."""

from mailkit.testing.postgres import postgres as postgres
