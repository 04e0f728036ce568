"""The functions that carry out commands. Each gets the session and the command's argument, and replies with `say`."""
