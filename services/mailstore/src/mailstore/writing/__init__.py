"""What changes mailboxes, one module per step: each change is one transaction."""
