"""Who sends: strangers, the holder of each kind of key, and people of each role with a session of their own."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from random import Random
from urllib.parse import urlencode

from benchmarks.fuzz.heads import usual
from benchmarks.fuzz.wire import Answer, Header, Request, exchange, frame
from benchmarks.stack import Stack

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
SET_COOKIE = re.compile(rb"(?im)^set-cookie:\s*([^=;\r]+)=([^;\r]*)")
ROLES = ("staff", "manager", "ops", "admin")
SCOPES = ("ingest", "read", "gateway", "rate", "alerts")
PASSWORD = "lamp-otter-violin-77-cloud"  # noqa: S105 -- of people of a stack that lives as long as the run

# Makes the people and keys, or makes them whole again after a case has locked them out.
PROGRAM = f"""
import json
from django.contrib.auth.models import Group, User
from traffic.authentication.keys import create_key
from traffic.models import Application, Key
people = {ROLES!r}
for role in people:
    user, made = User.objects.get_or_create(username="fuzz-" + role)
    user.is_active, user.is_superuser, user.is_staff = True, role == "admin", role == "admin"
    if made or not user.check_password({PASSWORD!r}):
        user.set_password({PASSWORD!r})
    user.save()
    user.groups.set(Group.objects.filter(name=role))
application, _ = Application.objects.get_or_create(slug="fuzz", defaults=dict(name="Fuzz", capture_bodies=True))
keys = {{}}
for owner in (application, None):
    for scope in {SCOPES!r}:
        if owner is None and scope == "gateway":
            continue
        key, keys[scope + ("" if owner else "-of-all")] = create_key(
            name="fuzz", scopes=[scope], application=owner, created_by=User.objects.get(username="fuzz-admin"))
print(json.dumps(keys))
"""


@dataclass
class Actor:
    """One sender; `source` is the address of loopback that it sends from, so that it is held back by itself."""

    name: str
    source: str
    key: str = ""
    person: bool = False
    cookies: dict[bytes, bytes] = field(default_factory=dict)
    token: str = ""

    def headers(self, rng: Random) -> list[Header]:
        """What tells who it is; of a key in either of the two ways."""
        if self.cookies:
            return [(b"Cookie", b"; ".join(name + b"=" + text for name, text in self.cookies.items()))]
        if self.key and rng.random() < 0.5:
            return [(b"X-Api-Key", self.key.encode()), (b"Authorization", b"Bearer " + self.key.encode())]
        return [(b"Authorization", b"Bearer " + self.key.encode())] if self.key else []


class Cast:
    """All senders. A person who was shut out by what was sent signs in again."""

    def __init__(self, stack: Stack, port: int) -> None:
        self.stack = stack
        self.port = port
        self._lock = threading.Lock()
        self.actors = [Actor("stranger", "127.0.0.2")]
        self.restore()

    def restore(self) -> None:
        """Keys and people anew. Raises subprocess.CalledProcessError where the stack cannot be joined."""
        keys = json.loads(self.stack.python(PROGRAM).splitlines()[-1])
        actors = [Actor("stranger", "127.0.0.2")]
        actors += [Actor(f"key {name}", "127.0.0.3", key=secret) for name, secret in sorted(keys.items())]
        actors += [Actor(role, f"127.0.0.{10 + n}", person=True) for n, role in enumerate(ROLES)]
        for actor in actors:
            if actor.person:
                self.sign_in(actor)
        self.actors = actors

    def get(self, actor: Actor, path: str) -> Answer:
        """A plain GET, as a browser sends it."""
        return self._send(actor, Request("GET", path))

    def page(self, path: str) -> str:
        """A page as the admin sees it, empty where there is none."""
        answer = self.get(self.actors[-1], path)
        html = answer.status == 200 and b"html" in answer.header(b"content-type")
        return answer.body.decode("utf-8", "replace") if html else ""

    def sign_in(self, actor: Actor) -> None:
        """By the form at /login/. Raises RuntimeError where it does not let the person in."""
        with self._lock:
            actor.cookies = {}
            answer = self.get(actor, "/login/")
            self._take(actor, answer)
            fields = {"username": f"fuzz-{actor.name}", "password": PASSWORD, "csrfmiddlewaretoken": _token(answer)}
            request = Request("POST", "/login/", body=urlencode(fields).encode())
            request.headers.append((b"Content-Type", b"application/x-www-form-urlencoded"))
            answer = self._send(actor, request)
            self._take(actor, answer)
            if answer.status != 302:
                raise RuntimeError(f"{actor.name} cannot sign in: {answer.status} {answer.body[:300]!r}")
            actor.token = _token(self.get(actor, "/password/"))

    def _send(self, actor: Actor, request: Request) -> Answer:
        request.headers = [*usual(self.port), *request.headers, *actor.headers(Random(0))]
        frame(Random(0), request, honest=True)
        return exchange(self.port, request.octets(), source=actor.source, patience=30)

    def _take(self, actor: Actor, answer: Answer) -> None:
        for name, text in SET_COOKIE.findall(answer.head):
            actor.cookies[name.strip()] = text.strip()


def _token(answer: Answer) -> str:
    match = TOKEN.search(answer.body.decode("utf-8", "replace"))
    return match[1] if match else ""
