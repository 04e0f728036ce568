"""Checks before a message is accepted, in the order they run: sender, recipient, content."""
