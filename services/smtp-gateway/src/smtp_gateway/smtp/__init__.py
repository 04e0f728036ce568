"""The SMTP conversation with a client: octets, commands, the greeting, and the transaction from MAIL to the final dot."""
