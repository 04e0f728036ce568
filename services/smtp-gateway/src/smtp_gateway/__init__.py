"""Speaks SMTP with clients and remote hosts; hands over to the queue."""
