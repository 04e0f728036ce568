"""Periodic work on the rows of all mailboxes, done by one replica at a time."""
