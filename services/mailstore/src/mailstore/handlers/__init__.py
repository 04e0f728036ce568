"""The HTTP doors of mailstore."""
