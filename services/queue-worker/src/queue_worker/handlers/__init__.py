"""The HTTP endpoints: hand-overs from the gateway, and the operators' API."""
