"""Fixtures and helpers of the tests: Postgres, DNS, an SMTP sink, hostile input, limits that scale with the machine."""
