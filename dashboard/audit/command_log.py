"""Commands that change something or take something out, in the audit log: one hook for all of them, in `manage.py`."""

from __future__ import annotations

import getpass
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Of the others, some only look (audit, doctor, figures, check), some are the processes of `up` themselves.
CHANGING = frozenset({
    "alerts", "backup", "changepassword", "create_key", "createsuperuser", "dbshell", "demo", "erase", "evaluate",
    "export_focus", "flush", "import", "loaddata", "migrate", "poll", "prepare", "reprice", "restore", "rollup",
    "rotate-key", "rotate_key", "shell", "sqlflush",
})  # fmt: skip
# These every start of `up` and every installation runs by itself, or by the minute; they say what they did elsewhere.
QUIET = frozenset({"migrate", "prepare", "evaluate", "poll", "demo"})
WHOLE = frozenset({"shell", "dbshell"})  # what is typed there may hold anything
HIDDEN = re.compile(r"^(--(user|password|secret|key|token|email))(=.*)?$")  # whose value stays out


def words_of(argv: list[str]) -> str:
    """A command line without what may be a secret or a person's own name."""
    shown, hide = [], False
    for word in argv:
        match = HIDDEN.match(word)
        shown.append("…" if hide else f"{match[1]}=…" if match and match[3] else word)
        hide = bool(match and not match[3])
    return " ".join(shown)[:500]


@contextmanager
def recorded(argv: list[str]) -> Iterator[None]:
    """Run a command inside, and write down what it was and how it ended; not where the database is away or empty."""
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

    if not apps.ready:  # the command line was refused before anything was loaded
        return
    from providers.audit import chain as audit_chain
    from providers.audit import head
    from providers.audit.log import Action, Actor, ActorKind, record

    before = head.noted()
    audit_chain.keys.clear_cache()  # after a restore it is another database
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
    """Who runs this, as the system knows them."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's number without a name
        name = str(os.getuid())
    sudo = os.environ.get("SUDO_USER")
    return f"{name} (by sudo: {sudo})" if sudo else name
