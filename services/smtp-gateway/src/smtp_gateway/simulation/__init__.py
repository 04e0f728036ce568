"""What the gateway would answer a client, by the decisions of live traffic and without an effect (decision 0085)."""
