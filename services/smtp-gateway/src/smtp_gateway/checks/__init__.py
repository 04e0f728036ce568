"""What is asked before a message is taken, in running order: sender, recipient, content."""
