"""What is found out about mail from outside at the final dot, and what follows (docs/decisions/0090)."""
