"""What a domain's zone should have so that its mail arrives and is accepted elsewhere, and what is wrong with it (decision 99)."""
