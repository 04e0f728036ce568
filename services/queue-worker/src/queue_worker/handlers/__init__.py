"""The HTTP doors: hand-overs from the gateway, and the operators' view."""
