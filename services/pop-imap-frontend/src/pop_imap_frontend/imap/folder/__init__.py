"""The selected folder: what is known of its messages, shared by sessions, and the view of each session."""
