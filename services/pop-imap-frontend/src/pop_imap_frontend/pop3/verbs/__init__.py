"""The functions that carry out commands, by the state they belong to. Each gets the session and the command's argument."""
