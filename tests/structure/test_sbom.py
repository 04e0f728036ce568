"""The bill of materials names what the images hold, neither more nor less."""

import json
import re
import subprocess
import sys

from mailkit.testing.speed import patient
from tests.structure.test_repository import ROOT


def test_the_bill_of_materials_is_the_lock_of_the_images() -> None:
    command = [sys.executable, "scripts/sbom"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=patient(20)).stdout
    document = json.loads(printed)
    lock = (ROOT / "requirements-runtime.lock").read_text()
    locked = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", lock, re.M))
    assert {each["name"]: each["version"] for each in document["components"]} == locked
    named = {hashed["content"] for each in document["components"] for hashed in each["externalReferences"][0]["hashes"]}
    assert named == set(re.findall(r"--hash=sha256:(\w+)", lock))
    assert len(locked) > 20
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
