"""What the worst input costs everybody else: `python -m tests.cost` (docs/reliability.md)."""
