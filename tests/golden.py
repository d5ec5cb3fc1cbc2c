"""Golden comparison: what every page and every GET of the JSON API says over one frozen installation.

    python -m tests.golden DATA OUT --at 2026-12-01T05:00

DATA is the data folder of a `manage.py up --demo` that was stopped; it is copied and never changed. OUT gets a file for
each address and role: pages as their text and links, JSON as it is. The clock stands still at `--at` (UTC). Two runs of
the same code are equal byte for byte: `diff -r before after` then shows what a change has changed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

ROLES = ("admin", "manager", "staff")
EACH = 4  # addresses of one view, with their parameters
# Secrets, answers that are drawn at random, and names of files that change with their content.
DRAWN = [
    (re.compile(r'(name="csrfmiddlewaretoken" value=)"\w+"'), r"\1"),
    (re.compile(r"(x-csrftoken[^\w]{1,12})\w{64}", re.IGNORECASE), r"\1"),
    (re.compile(r'nonce="[^"]*"'), ""),
    (re.compile(r"\.[0-9a-f]{12}\.(css|js|svg|woff2)"), r".\1"),
    (re.compile(r"/[\w/.-]*/breakeven-golden-\w+"), ""),
    (re.compile(r"[\d.]+ GB of the disk"), "GB of the disk"),
]
# They end the session, or say how large the database and the machine are just now.
SKIPPED = (
    "/logout/",
    "/static/",
    "/metrics",
    "/readyz",
    "/healthz",
    "/settings/storage/",
    "/settings/audit/",
    "/account/",
)
HIDDEN = re.compile(r"<(script|style|svg|head)\b.*?</\1>", re.DOTALL | re.IGNORECASE)
LINK = re.compile(r'\b(?:href|hx-get)="([^"#]*)')


@contextmanager
def installation(data: Path) -> Iterator[None]:
    """A copy of DATA with its database running, and Django set up on it."""
    from dashboard.embedded.postgres import Postgres

    with tempfile.TemporaryDirectory(prefix="breakeven-golden-") as folder:
        copy = Path(folder, "var")
        shutil.copytree(data, copy, ignore=shutil.ignore_patterns("*.sock", "postmaster.pid", "*.pid"))
        server = Postgres(copy / "postgres")
        os.environ["DATABASE_URL"] = server.start()
        os.environ["DATABASE_OWNER_URL"] = server.owner_url
        os.environ["BREAKEVEN_DATA"] = str(copy)
        os.environ["DJANGO_SETTINGS_MODULE"] = "dashboard.settings"
        try:
            import django

            django.setup()
            from django.core.management import call_command

            call_command("prepare", verbosity=0)
            yield
        finally:
            server.stop()


def text_of(html: str) -> str:
    """What a person reads of a page, a line for each piece of text, and where its links lead."""
    for pattern, instead in DRAWN:
        html = pattern.sub(instead, html)
    visible = re.sub(r"<[^>]+>", "\n", HIDDEN.sub("", html))
    lines = [" ".join(unescape(line).split()) for line in visible.split("\n")]
    links = sorted({unescape(link) for link in LINK.findall(html) if not link.startswith("/static/")})
    return "\n".join([*(line for line in lines if line), "", *links, ""])


def write(out: Path, role: str, address: str, content: str) -> None:
    name = quote(address, safe="")
    path = out / role / f"{name[:180]}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def crawl(client: Any, role: str, out: Path) -> int:
    """Every page that links lead to, from the Overview on, at most EACH of a view; how many were written."""
    from django.urls import Resolver404, resolve

    waiting, seen, of_view, count = deque(["/"]), {"/"}, dict[str, int](), 0
    while waiting:
        address = waiting.popleft()
        try:
            view = resolve(urlsplit(address).path).view_name
        except Resolver404:
            view = "unknown"
        if of_view.get(view, 0) >= EACH:
            continue
        of_view[view] = of_view.get(view, 0) + 1
        response = client.get(address, headers={"host": "localhost"})
        body = b"".join(response.streaming_content) if response.streaming else response.content
        kind = response.get("Content-Type", "")
        html = body.decode("utf-8", "replace") if "html" in kind else ""
        shown = text_of(html) if html else body.decode("utf-8", "replace")
        if kind.startswith(("application/pdf", "image/", "application/vnd", "application/zip")):
            shown = kind
        write(out, role, address, f"{response.status_code} {response.get('Location', '')}\n{shown}")
        count += 1
        base = urlsplit(address).path
        for link in LINK.findall(html):
            target = unescape(link)
            target = base + target if target.startswith("?") else target
            if target.startswith("/") and not target.startswith(("//", *SKIPPED)) and target not in seen:
                seen.add(target)
                waiting.append(target)
    return count


def operations(client: Any, headers: dict[str, str], out: Path) -> int:
    """Every GET of the JSON API; those of one thing are asked for the first two of their list."""
    schema = client.get("/api/v1/openapi.json").json()
    answers: dict[str, Any] = {}

    def ask(address: str) -> None:
        response = client.get(address, headers=headers)
        body = b"".join(response.streaming_content) if response.streaming else response.content
        text = body.decode("utf-8", "replace")
        if response.get("Content-Type", "").startswith("application/json"):
            answers[address] = json.loads(text)
        write(out, "api", address, f"{response.status_code}\n{text}\n")

    paths = sorted(path for path, methods in schema["paths"].items() if "get" in methods)
    for path in paths:
        if "{" not in path:
            ask(path)
    for path in paths:
        if path.count("{") == 1:
            above, name = path[: path.index("{")].rstrip("/"), path[path.index("{") + 1 : path.index("}")]
            listed = answers.get(above)
            items = listed.get("items", []) if isinstance(listed, dict) else listed or []
            for item in items[:2]:
                value = item.get(name) or item.get("slug") or item.get("id") if isinstance(item, dict) else item
                ask(path.replace("{" + name + "}", quote(str(value), safe="")))
    return len(list((out / "api").iterdir()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--at", type=lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC), required=True)
    options = parser.parse_args()
    with installation(options.data):
        import time_machine
        from django.contrib.auth import get_user_model
        from django.test import Client

        with time_machine.travel(options.at, tick=False):
            for role in ROLES:
                client = Client()
                user = get_user_model().objects.filter(username=role).first()
                user = user or get_user_model().objects.filter(groups__name=role).order_by("username")[0]
                client.force_login(user)
                print(role, crawl(client, role, options.out))  # noqa: T201 -- a command
            key = json.loads((Path(os.environ["BREAKEVEN_DATA"]) / "demo-credentials.json").read_text())["keys"]
            headers = {"authorization": f"Bearer {key['read/']}"}
            print("api", operations(client, headers, options.out), sorted(key))  # noqa: T201


if __name__ == "__main__":
    main()
