"""The auth service: who has a mailbox, who may log in, who may relay, and where a recipient's mail goes."""
