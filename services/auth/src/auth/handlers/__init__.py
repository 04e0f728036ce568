"""The edge: MessagePack list endpoints for the services, a JSON API for operators."""
