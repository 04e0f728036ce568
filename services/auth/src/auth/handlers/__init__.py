"""The edge: MessagePack list doors for the services, a JSON API for operators."""
