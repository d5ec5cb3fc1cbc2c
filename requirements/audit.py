"""Holds every locked package against the published advisories, and never takes silence for good news.

Ends with 0 when all were asked about and none is affected, with 1 when one is, and with 2 when the advisories could not
be read. More options of pip-audit may follow, for example of another service.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent / "dev.txt"
AFFECTED, UNREAD = 1, 2


def asked(lock: Path, options: list[str]) -> tuple[list[dict[str, Any]] | None, str]:
    """pip-audit's word on each package, None where it came to no end; and the last line that it said."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off"]
        command += ["--format", "json", "--output", str(report), "--requirement", str(lock), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        last = (done.stderr.strip().splitlines() or [""])[-1]
        if not report.exists():
            return None, last
        packages: list[dict[str, Any]] = json.loads(report.read_text())["dependencies"]
    return packages, last


def verdict(packages: list[dict[str, Any]] | None, last: str) -> tuple[int, list[str]]:
    """Exit code and the lines to print."""
    if not packages:
        return UNREAD, [f"The advisories could not be read, so nothing is known of any package. {last}".rstrip()]
    lines = [
        f"{package['name']} {package['version']}: {flaw['id']}, fixed in {' or '.join(flaw['fix_versions']) or 'none'}"
        for package in packages
        for flaw in package.get("vulns", ())
    ]
    skipped = sorted(package["name"] for package in packages if "skip_reason" in package)
    if skipped:
        few = ", ".join(skipped[:5]) + (" and others" if len(skipped) > 5 else "")
        lines.append(f"The service has no word on {len(skipped)} of {len(packages)} packages: {few}.")
    if len(lines) > bool(skipped):
        return AFFECTED, lines
    return (UNREAD, lines) if skipped else (0, [f"{len(packages)} packages, none with a known flaw."])


def main() -> None:
    code, lines = verdict(*asked(LOCK, sys.argv[1:]))
    print("\n".join(lines), file=sys.stderr if code else sys.stdout)
    sys.exit(code)


if __name__ == "__main__":
    main()
