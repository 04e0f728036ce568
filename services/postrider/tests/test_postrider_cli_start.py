"""How fast the command line is there."""

import subprocess
import sys

import pytest

from mailkit.testing.speed import patient

#: What takes long to import, and no help text needs.
SLOW = {"rich", "markdown_it", "aiohttp", "asyncpg", "sqlalchemy", "fastapi", "httpx"}


@pytest.mark.parametrize("words", [["--help"], ["mailbox", "--help"], ["queue", "ls", "--help"]])
def test_help_imports_nothing_slow(words: list[str]) -> None:
    program = (
        "import sys\nfrom postrider.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print(sorted({SLOW!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=patient(20), check=True
    )
    assert done.stdout.startswith("Usage: ")
    assert done.stderr.strip() == "[]"
