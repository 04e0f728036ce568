"""The HTTP handlers: MessagePack list endpoints for the services, a JSON API for operators."""
