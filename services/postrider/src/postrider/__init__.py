"""The command line and the single-machine launcher."""
