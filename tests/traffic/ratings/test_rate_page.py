"""How an answer and its prompt are shown to a rater: code, pictures, long contexts, and nothing that acts."""

from __future__ import annotations

import json
import re

import pytest
from django.template.loader import render_to_string

from tests.traffic.linearity import assert_linear
from traffic.conversation import LONGEST_IMAGE, Turn, turns
from traffic.ratings.page import FOLDED, MOST_MARKED, ContextTurn, context_turns
from traffic.rendering import COLOURED, TAGS, rendered

PIXEL = "iVBORw0KGgo="


def test_code_of_a_known_language_is_coloured() -> None:
    html = rendered('```python\ndef half(n):\n    return "n" * 2  # twice\n```').html
    assert '<span class="hl-k">def</span>' in html and 'class="hl-c1"># twice</span>' in html
    plain = rendered("```brainfuck\n+[-->-[>>+>-----<<]<--<---]\n```").html
    assert "hl-" not in plain and "&gt;&gt;+" in plain
    assert "hl-" not in rendered("```python\n" + "x = 1\n" * (COLOURED // 5) + "```").html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>", "```html\n<script>alert(1)</script>\n```", '<img src="https://x.example/a.png">',
        "![a](https://x.example/a.png)", "[a](javascript:alert(1))", '```python" onclick="alert(1)\nx\n```',
        "<style>body{}</style>", '<p style="position:fixed">x</p>',
    ],
)  # fmt: skip
def test_nothing_in_an_answer_acts_or_loads(text: str) -> None:
    for name, attributes in re.findall(r"<(\w+)([^>]*)>", str(rendered(text).html)):
        assert name in TAGS and re.fullmatch(r'( class="[\w &;-]+")?', attributes), (name, attributes)


def test_pictures_are_shown_that_stand_in_the_prompt_itself_and_no_others() -> None:
    inside = f"data:image/png;base64,{PIXEL}"
    content = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": inside}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/webp", "data": PIXEL}},
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,PHN2Zz4="}},
        {"type": "image_url", "image_url": {"url": f'{inside}" onerror="x'}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{'A' * LONGEST_IMAGE}"}},
        {"type": "image_url", "image_url": 7},
    ]
    (turn,) = turns(json.dumps([{"role": "user", "content": content}]))
    assert list(turn.images) == [inside, f"data:image/webp;base64,{PIXEL}"]


def test_a_long_turn_is_folded_and_opens_where_something_is_found() -> None:
    long, short = Turn("user", "The Loan. " * FOLDED), Turn("user", "A loan <b>")
    closed, open_short = context_turns([long, short], "")
    assert closed.folded and not open_short.folded and closed.summary() == "Question, 20,000 characters"
    found, other = context_turns([long, short], " loan ")
    assert found.summary() == "Question · 2,000 matches, of which the first 500 are marked"
    assert other.summary() == "Question · 1 match" and other.html() == "A <mark>loan</mark> &lt;b&gt;"
    assert ContextTurn(short, "(.*").places == 0, "what is looked for is no pattern"
    html = render_to_string(
        "traffic/quality/_answer.html", {"turns": [found], "rendered": rendered("Yes."), "find": "loan"}
    )
    assert "<details open>" in html and html.count("<mark>Loan</mark>") == MOST_MARKED


def test_a_letter_that_is_everywhere_is_looked_for_in_a_long_prompt() -> None:
    (turn,) = context_turns([Turn("user", "a" * 100_000 + "<")], "a")
    assert turn.html().count("<mark>") == MOST_MARKED and turn.html().endswith("aaa&lt;")


@pytest.mark.parametrize(
    ("language", "text"), [("c", "\n"), ("java", "\n"), ("cpp", "\n "), ("java", "a "), ("java", "a b\n")]
)
def test_code_that_a_lexer_reads_slowly_is_plain(language: str, text: str) -> None:
    def show(size: int) -> None:
        rendered(f"```{language}\n{(text * size)[:size]}\n```")

    assert_linear(lambda: show(900), lambda: show(3_900))


def test_many_blank_lines_are_plain() -> None:
    code = "int a = 1;\n" * 3
    assert "hl-" in rendered(f"```c\n{code}\n\n{code}```").html
    assert "hl-" not in rendered(f"```c\n{code}{' ' * 3}{chr(10) * 12}{code}```").html
