"""What no file of the repository may hold."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Put together here, or this file would be found.
HOSTS = [".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"))]


def test_no_file_names_a_package_registry():
    """Packages come from the reader's own mirror; and a registry's page is no source for a fact."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    names = [name for name in listed.decode().split("\0") if name]
    assert len(names) > 100
    found = []
    for name in names:
        path = ROOT / name
        if path.is_file():
            text = path.read_bytes().decode("utf-8", "ignore")
            found += [f"{name}: {host}" for host in HOSTS if host in text]
    assert not found, "\n".join(found)
