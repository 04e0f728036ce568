"""Logins: passwords, failures, sessions."""
