"""Where the published test suites are, and their zones as a resolver."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailauth.testing import Zones

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("CONFORMANCE_DIR") or ROOT.parent / "shared" / "vectors")
HOW_TO_GET_THEM = {
    "spf/rfc7208-tests.yml": "test/rfc7208-tests.yml of the GitHub repository sdgathman/pyspf",
    "arc/arc-draft-validation-tests.yml": "tests/arc-draft-validation-tests.yml of ValiMail/arc_test_suite",
    "arc/arc-draft-sign-tests.yml": "tests/arc-draft-sign-tests.yml of ValiMail/arc_test_suite",
}


def documents(name: str) -> list[dict[str, Any]]:
    """The scenarios of one suite; the calling module is skipped where it is absent."""
    path = FOLDER / name
    if not path.is_file():
        pytest.skip(
            f"{path} is absent: it is {HOW_TO_GET_THEM[name]}; CONFORMANCE_DIR names the folder",
            allow_module_level=True,
        )
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


def zones(data: dict[str, Any]) -> Zones:
    """The zones of a scenario of the SPF suite: SPF records are TXT records where no TXT is written; TIMEOUT is trouble."""
    made = Zones()
    for name, entries in data.items():
        made.add(str(name))
        records = [next(iter(each.items())) for each in entries if isinstance(each, dict)]
        if "TIMEOUT" in entries:
            made.fail(str(name))
        explicit = any(kind == "TXT" for kind, _ in records)
        for kind, value in records:
            if kind == "TIMEOUT":
                made.fail(str(name))
            elif (kind == "SPF" and not explicit) or (kind == "TXT" and value != "NONE"):
                made.add(str(name), TXT=_joined(value))
            elif kind == "MX":
                made.add(str(name), MX=str(value[1]))
            elif kind not in ("SPF", "TXT"):
                made.add(str(name), **{kind: str(value)})
    return made


def _joined(value: Any) -> bytes:
    parts = value if isinstance(value, list) else [value]
    return b"".join(part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part for part in parts)
