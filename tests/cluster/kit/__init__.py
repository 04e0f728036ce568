"""The project's own one-node Kubernetes: built from Go modules, run in one network namespace, gone without a trace."""
