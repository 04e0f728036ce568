"""HTTP between services: client, application, endpoints, lists, problem documents, tokens and proofs."""
