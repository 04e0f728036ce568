"""Mailboxes: folders, messages, flags, quota usage, POP3 leases."""
