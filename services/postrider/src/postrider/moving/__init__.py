"""Moving in from another mail system: what maps to what, and the import (docs/operate/moving-in.md)."""
