"""Writes sbom.cdx.json: what the product runs on, in CycloneDX, from the packages that are installed and locked.

The lock says which packages those are (without the tools of development), their own files say which licence they have
and what they need. Hashes of the files that are installed stand in the lock.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LOCK, PROJECT = HERE / "base.txt", HERE.parent / "pyproject.toml"
NAME = "sbom.cdx.json"


def locked(lock: str) -> dict[str, str]:
    """Names and versions that a lock pins; the names as packaging normalises them."""
    return {
        normal(name): version
        for name, version in re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", lock, re.MULTILINE)
    }


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def of_environment() -> dict[str, Any]:
    """Of all that is installed beside this Python."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / NAME
        command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "environment", sys.executable]
        options = ["--pyproject", str(PROJECT), "--mc-type", "application", "--output-reproducible", "--sv", "1.6"]
        options.append("--no-validate")  # of what is left of it, a test looks at every part that we rely on
        subprocess.run([*command, *options, "--of", "JSON", "--output-file", str(file)], check=True)
        bom: dict[str, Any] = json.loads(file.read_text())
    return bom


def only(bom: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """What is left of a bill when all other components go; where somebody may fetch them is not said."""
    components = [component for component in bom["components"] if normal(component["name"]) in names]
    for component in components:
        component.pop("externalReferences", None)
    root = bom["metadata"]["component"]["bom-ref"]
    references = {component["bom-ref"] for component in components} | {root}
    dependencies = [
        {**entry, "dependsOn": [ref for ref in entry.get("dependsOn", ()) if ref in references]}
        for entry in bom["dependencies"]
        if entry["ref"] in references
    ]
    metadata = {name: value for name, value in bom["metadata"].items() if name != "tools"}
    return {**bom, "metadata": metadata, "components": components, "dependencies": dependencies}


def main() -> None:
    pinned = locked(LOCK.read_text())
    bom = only(of_environment(), set(pinned))
    versions = {normal(component["name"]): component["version"] for component in bom["components"]}
    if wrong := sorted(name for name, version in versions.items() if pinned[name] != version):
        sys.exit(f"Installed is not what is locked: {', '.join(wrong)}. First: make setup")
    target = Path(sys.argv[1] if len(sys.argv) > 1 else NAME)
    target.write_text(json.dumps(bom, indent=2, sort_keys=True) + "\n")
    others = len(pinned) - len(versions)
    sys.stdout.write(f"{target}: {len(versions)} packages; {others} more are locked, for other systems.\n")


if __name__ == "__main__":
    main()
