"""Postgres, and services' processes, for the tests that need them."""

import asyncio
import os
import subprocess
import sys

from mailkit.testing.postgres import postgres as postgres
from mailkit.testing.speed import patient


def environment(**values: str) -> dict[str, str]:
    """A process's environment with these settings and no others but the key that auth and mailstore demand."""
    values = {"proof_key": "k" * 32} | values
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POSTRIDER_")}
    return clean | {f"POSTRIDER_{name.upper()}": value for name, value in values.items()}


async def run(package: str, *arguments: str, **values: str) -> tuple[int, str]:
    """A service's process, to its end: its status and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        package,
        *arguments,
        env=environment(**values),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), patient(60))
    assert process.returncode is not None
    return process.returncode, (out + errors).decode()
