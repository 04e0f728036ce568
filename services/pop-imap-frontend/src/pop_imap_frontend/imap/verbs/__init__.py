"""The functions that carry out commands. Each gets the session and a cursor behind the command's name."""
