"""The rules of docs/reference/copy.md, for one text and for a document: `python -m tests.copy_rules FILE...`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

LONGEST = 20  # words a sentence

# Things that people use, as the subject of a verb.
THING = (
    r"(?:vendors?|engines?|servers?|machines?|pages?|rules?|reports?|bills?|logs?|programs?|models?|monitors?|tools?"
    r"|connectors?|Breakeven|[Ii]t|\}|\)s|\}\})"
)
FORBIDDEN = {
    "a verb of speaking (reports, shows, notified)": r"\b(?:tells?|told|says?|said|speaks?|spoke)\b",
    "a verb of people with a thing as subject": rf"{THING} (?:asks?|knows?|gives?|hears?|thinks?|wants?|sees?)\b",
    "a person without a name (unassigned, no recipients)": r"\b(?:nobody|somebody|someone|whoever|anybody|anyone)\b",
    "a button without its verb and object": r"^Do it\b",
    "a proverb or a joke": r"\b(?:cr(?:y|ies) wolf|burnt|for nothing|patience|next to nothing|in the clear)\b",
    "an old word": r"\b(?:anew|dearer|dearest|reckons?|shall|mended|thereof|whereof)\b",
    "an old word for a job (running, being calculated, undone)": (
        r"\b(?:at work|being worked out|(?:take[ns]?|took)(?: [\w']+){0,4} back)\b"
    ),
    "words for Retry later and for self-hosted": r"\b(?:come back|our own machines?|only we)\b",
    "the project's past": r"\b(?:the research|the note|rulers?|slips)\b",
    "a semicolon": r";",
}
# A document shows code, and names labels of pages and fields as they are.
CODE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
SHOWN = (r"`[^`\n]*`", r"\*[^*\n]+\*", r"\"[^\"]*\"", r"https?://\S+")
CELL = re.compile(r"(?<!\\)\|")
# What begins a paragraph of its own: a heading, a point of a list, a quotation.
BEGINS = re.compile(r"^\s*(#+ |[-*+] |\d+\. |> )")


def sentences(text: str) -> list[str]:
    """The sentences of a text; a placeholder and a tag are no sentence's end, a colon and a middle dot are."""
    bare = re.sub(r"<[^>]+>", " ", text)
    bare = re.sub(r"\{\{.*?\}\}|\{\w*\}|%\(\w+\)[sd]", "N", bare)
    return [part for part in re.split(r"(?<=[.?!:])\s+|\s·\s", bare) if part.strip()]


def faults(text: str) -> list[str]:
    plain = re.sub(r"&#?\w+;", " ", text)
    names = [name for name, pattern in FORBIDDEN.items() if re.search(pattern, plain, re.IGNORECASE)]
    longest = max((len(sentence.split()) for sentence in sentences(plain)), default=0)
    return names + ([f"a sentence of {longest} words"] if longest > LONGEST else [])


def paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """The paragraphs and cells of a document with their first line; code is none."""
    text = CODE.sub(lambda block: "\n" * block[0].count("\n"), text)
    first, lines = 0, list[str]()
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        is_row = line.lstrip().startswith("|")
        if lines and (not line.strip() or is_row or BEGINS.match(line)):
            yield first, " ".join(lines)
            lines = []
        if is_row:
            yield from ((number, cell) for cell in CELL.split(line))
        elif line.strip():
            first = first if lines else number
            lines.append(BEGINS.sub("", line, count=1).strip())


def plain(paragraph: str) -> str:
    """A paragraph without its marks: what is shown is one word, a link is its text."""
    paragraph = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", paragraph)
    for pattern in SHOWN:
        paragraph = re.sub(pattern, "Shown", paragraph)
    return paragraph.replace("**", "")


def wrong(path: Path) -> list[str]:
    """What a document says against the rules, one line each."""
    return [
        f"{path}:{line}: {', '.join(names)}: {sentence}"
        for line, paragraph in paragraphs(path.read_text())
        for sentence in sentences(plain(paragraph))
        if (names := faults(sentence))
    ]


if __name__ == "__main__":
    lines = [line for name in sys.argv[1:] for line in wrong(Path(name))]
    sys.stdout.write("\n".join(lines or ["No faults."]) + "\n")
    sys.exit(bool(lines))
