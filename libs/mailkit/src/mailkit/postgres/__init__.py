"""Postgres: pools, schemas and their migration, roles, clock, work that runs in one replica."""
