"""Where a trial's prompts come from: the built-in set, a file of JSON lines, or the stored bodies of a task."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from django.utils.translation import gettext as _

from lib import sql
from traffic.json_depth import loads
from traffic.models import Task
from traffic.visibility import Person, rateable

BUILTIN = Path(__file__).resolve().parent.parent / "data" / "trial_prompts.jsonl"
MOST_PROMPTS = 2_000
MOST_TEXT = 64 * 1024  # characters of one prompt
MOST_TOTAL = 32 << 20  # characters of a trial's prompts, which a worker holds in memory
MOST_LINE = 1 << 20  # bytes
MOST_FILE = 256 << 20  # bytes
REJECTED_SHOWN = 20
MOST_IDLE = 10_000  # lines of a file that are blank or no prompt
CHUNK = 1 << 16
REPLAYED, REPLAYED_DAYS = 200, 7  # prompts of a task, and of how many days


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt: a text, or messages as JSON.

    Of a stored body: the keys of its application, of the deployment whose answer is stored too, and its request.
    """

    text: str
    task: str = Task.OTHER
    application: int | None = None
    answered_by: int | None = None
    request: UUID | None = None
    own_machines: bool = False  # it may have been private, so it must not go to a vendor
    set_item: int | None = None  # of a set of answers
    source: UUID | None = None  # the request whose prompt it is, where `request` is a trial's that sent it again


@dataclass
class PromptFile:
    """What a file holds; `rejected` counts the lines that are no prompt, of which the first are named."""

    prompts: list[Prompt] = field(default_factory=list)
    rejected: int = 0
    rejected_lines: list[tuple[int, str]] = field(default_factory=list)
    whole: bool = True  # False: it was not read to its end

    def reject(self, line: int, sentence: str) -> None:
        self.rejected += 1
        if len(self.rejected_lines) < REJECTED_SHOWN:
            self.rejected_lines.append((line, sentence))

    def stop(self, line: int, sentence: str) -> None:
        """The file is not read from this line on."""
        self.whole = False
        self.rejected_lines.append((line, sentence))


class Unfit(Exception):
    """This is no prompt; the message is a sentence."""


@cache
def builtin() -> tuple[Prompt, ...]:
    """The 60 prompts that ship with the product, in English and Italian over all tasks."""
    with BUILTIN.open(encoding="utf-8") as lines:
        return tuple(Prompt(entry["prompt"], entry["task"]) for entry in map(json.loads, lines))


def read_file(file: IO[bytes]) -> PromptFile:
    """The prompts of a file, a JSON object with `prompt` and perhaps `task` on each line; read line by line."""
    read, total, blank = PromptFile(), 0, 0
    for number, line in enumerate(lines_of(file), 1):
        if read.rejected + blank == MOST_IDLE:
            text = _("%(n)s lines before this one are not prompts, so the rest of the file is not read.")
            read.stop(number, text % {"n": f"{MOST_IDLE:,}"})
            break
        if line is not None and not line.strip():
            blank += 1
            continue
        if len(read.prompts) == MOST_PROMPTS or total > MOST_TOTAL - MOST_TEXT:
            text = _("Only the first %(n)s prompts are used.")
            read.stop(number, text % {"n": f"{len(read.prompts):,}"})
            break
        try:
            read.prompts.append(prompt_of(line))
            total += len(read.prompts[-1].text)
        except Unfit as error:
            read.reject(number, str(error))
    return read


def lines_of(file: IO[bytes]) -> Iterator[bytes | None]:
    """Each line; None for one that is too long, which is passed over in pieces."""
    while line := file.readline(MOST_LINE):
        if len(line) < MOST_LINE or line.endswith(b"\n"):
            yield line
            continue
        while (rest := file.readline(CHUNK)) and not rest.endswith(b"\n"):
            pass
        yield None


def prompt_of(line: bytes | None) -> Prompt:
    """The prompt of one line. Raises Unfit."""
    value = object_of(line)
    return checked(value.get("prompt"), value.get("task"))


def object_of(line: bytes | None) -> dict[str, Any]:
    """The JSON object of one line. Raises Unfit."""
    if line is None:
        raise Unfit(_("The line is longer than 1 MB."))
    try:
        value = loads(line.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        raise Unfit(_("The line is not JSON.")) from None
    if not isinstance(value, dict):
        raise Unfit(_("The line is not a JSON object."))
    return value


def checked(prompt: Any, task: Any = None) -> Prompt:
    """A prompt that somebody sends: a text, or a list of messages. Raises Unfit."""
    if isinstance(prompt, list) and all(isinstance(part, dict) and "content" in part for part in prompt) and prompt:
        prompt = json.dumps(prompt, ensure_ascii=False)
    if not isinstance(prompt, str) or not prompt.strip():
        raise Unfit(_("“prompt” must be a text or a list of messages."))
    if len(prompt) > MOST_TEXT:
        raise Unfit(_("The prompt is longer than 64,000 characters."))
    if task is not None and task not in Task.values:
        raise Unfit(_("“task” must be one of: %(names)s.") % {"names": ", ".join(Task.values)})
    try:
        prompt.encode()
    except UnicodeEncodeError:
        raise Unfit(_("The prompt is not valid Unicode text.")) from None
    return Prompt(prompt.replace("\0", ""), task or Task.OTHER)


def readable(user: Person) -> list[int]:
    """Keys of the applications whose stored texts this person may read, and so may send again."""
    return rateable(user)


# A day's ids are keyed hashes, so that the first of them are a random sample which stays the same.
STORED = """
SELECT b.prompt, r.application_id, CASE WHEN b.answer IS NULL THEN NULL ELSE r.deployment_id END, r.id,
    r.provider = 'self' AND r.raw->>'private' IS DISTINCT FROM 'false'
FROM traffic_request_body AS b
JOIN traffic_request AS r ON r.day = b.day AND r.id = b.request_id
JOIN traffic_application AS a ON a.id = r.application_id
WHERE b.day = %(day)s AND r.day = %(day)s AND r.task = %(task)s AND r.outcome = 'ok' AND a.capture_bodies
    AND a.id = ANY(%(applications)s) AND a.made_for <> 'trials' AND length(b.prompt) BETWEEN 1 AND %(longest)s
    AND r.raw->>'private' IS DISTINCT FROM 'true'
    AND NOT (%(to_vendor)s AND r.provider = 'self' AND r.raw->>'private' IS DISTINCT FROM 'false')
ORDER BY b.request_id LIMIT %(most)s
"""


def stored(
    task: str, today: date, applications: Collection[int], *, to_vendor: bool, most: int = REPLAYED
) -> list[Prompt]:
    """A sample of the prompts of a task of the last seven days, of these applications as far as they store their texts.

    Prompts of private calls are left out. Where a vendor gets them (`to_vendor`), so are those that our own machines
    answered and whose row does not say that the call was not private.
    """
    values = {"task": task, "applications": list(applications), "to_vendor": to_vendor, "longest": MOST_TEXT}
    by_day = [
        [
            Prompt(prompt, task, *source)
            for prompt, *source in sql.rows(STORED, values | {"day": today - timedelta(days=back), "most": most})
        ]
        for back in range(REPLAYED_DAYS)
    ]
    longest = max(map(len, by_day), default=0)
    in_turn = [day[place] for place in range(longest) for day in by_day if place < len(day)]
    unique = list({prompt.text: prompt for prompt in in_turn}.values())
    return unique[:most]


# Of the newest day with stored answers, at most as many as a trial sends.
LENGTH = """
SELECT percentile_disc(0.95) WITHIN GROUP (ORDER BY output) FROM (
    SELECT r.output FROM traffic_request_body AS b JOIN traffic_request AS r ON r.day = b.day AND r.id = b.request_id
    WHERE b.day = %(day)s AND r.day = %(day)s AND r.task = %(task)s AND r.outcome = 'ok' AND r.output IS NOT NULL
        AND b.answer IS NOT NULL AND r.application_id = ANY(%(applications)s)
    ORDER BY b.request_id LIMIT %(most)s
) AS answers
"""


def usual_length(task: str, today: date, applications: Collection[int]) -> int | None:
    """Output tokens that 95 % of the stored answers of a task do not exceed, of the newest day that has some."""
    values = {"task": task, "applications": list(applications), "most": REPLAYED}
    for back in range(REPLAYED_DAYS):
        [(tokens,)] = sql.rows(LENGTH, values | {"day": today - timedelta(days=back)})
        if tokens is not None:
            return int(tokens)
    return None
