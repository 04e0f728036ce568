"""The schema `auth` and the named statements that run on it."""
