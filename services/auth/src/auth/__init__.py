"""The auth service: mailboxes, logins, the right to relay, and the final targets of recipients."""
