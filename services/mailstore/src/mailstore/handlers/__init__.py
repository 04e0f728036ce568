"""The HTTP endpoints of mailstore."""
