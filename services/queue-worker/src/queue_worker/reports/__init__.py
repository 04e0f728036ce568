"""What all daily reports to other domains have in common: counts until they are written, and the mail (docs/decisions/0092, 0098)."""
