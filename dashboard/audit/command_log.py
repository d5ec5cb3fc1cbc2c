"""Writes commands that change or export data to the audit log; `manage.py` calls this for all commands."""

from __future__ import annotations

import getpass
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Other commands only read (audit, doctor, figures, check) or are the processes of `up`.
CHANGING = frozenset({
    "alerts", "backup", "changepassword", "create_key", "createsuperuser", "dbshell", "demo", "erase", "evaluate",
    "export_focus", "flush", "import", "loaddata", "migrate", "poll", "prepare", "reprice", "restore", "rollup",
    "rotate-key", "rotate_key", "shell", "sqlflush",
})  # fmt: skip
# These run at every start of `up` or every minute without a person; they record what they did elsewhere.
QUIET = frozenset({"migrate", "prepare", "evaluate", "poll", "demo"})
WHOLE = frozenset({"shell", "dbshell"})  # logged without arguments, which may contain anything
HIDDEN = re.compile(r"^(--(user|password|secret|key|token|email))(=.*)?$")  # options logged without their value


def words_of(argv: list[str]) -> str:
    """A command line without values that may be secrets or personal data."""
    shown, hide = [], False
    for word in argv:
        match = HIDDEN.match(word)
        shown.append("…" if hide else f"{match[1]}=…" if match and match[3] else word)
        hide = bool(match and not match[3])
    return " ".join(shown)[:500]


@contextmanager
def recorded(argv: list[str]) -> Iterator[None]:
    """Record the command that runs inside and how it ended; a failing database only gives a warning on stderr."""
    name = argv[1] if len(argv) > 1 else ""
    if name not in CHANGING - QUIET or "--help" in argv or "-h" in argv:
        yield
        return
    ending = "failed"
    try:
        yield
        ending = "done"
    except SystemExit as stop:
        ending = "done" if stop.code in (None, 0) else "failed"
        raise
    finally:
        _write(name, argv, ending)


def _write(name: str, argv: list[str], ending: str) -> None:
    from django.apps import apps
    from django.db import Error

    if not apps.ready:  # Django refused the command line before it loaded the apps
        return
    from providers.audit import chain as audit_chain
    from providers.audit import head
    from providers.audit.log import Action, Actor, ActorKind, record

    before = head.noted()
    audit_chain.keys.clear_cache()  # after a restore they are those of another database
    words = name if name in WHOLE else words_of(argv[1:])
    message = f"manage.py {words}: {ending}"
    if name == "restore" and ending == "done" and before is not None and not head.holds(before):
        message += f". Before, the audit log had come to {before}; what was newer than the backup is not in it any more"
    try:
        record(
            Action.COMMAND, actor=Actor(ActorKind.COMMAND, operator()), object_type="command", object_id=name,
            object_name=name, message=message,
        )  # fmt: skip
        if name == "restore" and ending == "done":
            head.note(audit_chain.head())
    except Error as error:
        sys.stderr.write(f"This is not in the audit log, as the database does not take it: {error}\n")


def operator() -> str:
    """The operating system's name of the person who runs the command."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user id without a name
        name = str(os.getuid())
    sudo = os.environ.get("SUDO_USER")
    return f"{name} (by sudo: {sudo})" if sudo else name
