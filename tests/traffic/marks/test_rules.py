"""Each mark on real kinds of answers, and none on those that only look like it."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traffic.marks.rules import LONGEST, SLUGS, Mark, bits_of, labels, language, loops, marks_of

NONE = Mark(0)


def asked(text: str, system: str = "") -> str:
    messages = [{"role": "system", "content": system}] if system else []
    return json.dumps([*messages, {"role": "user", "content": text}])


@pytest.mark.parametrize(
    ("prompt", "answer", "mark"),
    [
        ("Return valid JSON with the name.", '{"name": "Ada"}', NONE),
        ("Return valid JSON with the name.", '```json\n{"name": "Ada"}\n```', NONE),
        ("Return valid JSON with the name.", 'Sure: {"name": "Ada"}', Mark.INVALID_JSON),
        ("Return valid JSON with the name.", '{"name": "Ada"', Mark.INVALID_JSON),
        ("Rispondi solo in formato JSON.", "Il nome: Ada", Mark.INVALID_JSON),
        ("What is JSON?", "A text format for data.", NONE),
        ("Hello", "I'm sorry, but I can't help with that.", Mark.REFUSAL),
        ("Hello", "I\N{RIGHT SINGLE QUOTATION MARK}m unable to do this.", Mark.REFUSAL),
        ("Ciao", "Mi dispiace, ma non posso aiutarti.", Mark.REFUSAL),
        ("Hello", "The door: it can't open. " * 1 + "She said that nobody can help.", NONE),
        ("Hello", "  \n ", Mark.EMPTY),
        ("Hello", "", Mark.EMPTY),
        ("Hello", "Yes.", NONE),
    ],
)
def test_an_answer_gets_its_mark(prompt: str, answer: str, mark: Mark) -> None:
    assert marks_of(asked(prompt), answer) == mark
    assert marks_of(prompt, answer) == mark  # a prompt that is one text


ITALIAN = "Che cosa è il tasso di una banca e come si calcola per un prestito della casa nel nuovo anno?"
ENGLISH = "The rate is what a bank asks for the money that it lends, and it is the price of the loan for a year."


def test_an_answer_in_the_other_language_is_marked_unless_it_was_asked_for() -> None:
    assert (language(ITALIAN.lower()), language(ENGLISH.lower())) == ("it", "en")
    assert marks_of(asked(ITALIAN), ENGLISH) == Mark.OTHER_LANGUAGE
    assert marks_of(asked(ENGLISH), ITALIAN) == Mark.OTHER_LANGUAGE
    assert marks_of(asked(ITALIAN), ITALIAN.replace("?", ".")) == NONE
    assert marks_of(asked(f"Traduci: {ITALIAN}"), ENGLISH) == NONE
    assert marks_of(asked(ITALIAN), "Yes.") == NONE


def test_json_that_the_instructions_ask_for_counts() -> None:
    assert marks_of(asked("Ada?", "Reply in JSON."), "Ada Lovelace.") == Mark.INVALID_JSON


@pytest.mark.parametrize("reason", ["length", "max_tokens"])
def test_an_answer_that_the_vendor_cut_is_truncated(reason: str) -> None:
    assert marks_of("Hello", "Yes", reason) == Mark.TRUNCATED
    assert marks_of("Hello", "", reason) == Mark.TRUNCATED | Mark.EMPTY
    assert marks_of("Hello", "Yes", "stop") == NONE


def test_a_loop_at_the_end_is_marked_and_lines_and_tables_are_not() -> None:
    assert loops("Once upon a time. " + "The answer is no. " * 8)
    assert loops("x" * 3_000 + "I do not know what to say. " * 40)
    assert not loops("-" * 500)
    assert not loops("| a | b |\n" + "|---|---|" * 1)
    assert not loops("The answer is no. The answer is yes. The answer is maybe. None of them is right.")


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_texts_have_marks_and_labels(prompt: str, answer: str) -> None:
    marks = marks_of(prompt, answer)
    assert len(labels(marks)) == marks.bit_count()


@pytest.mark.parametrize(
    "answer", ["a" * 10**6, "ab" * 500_000, "[" * 10**6, "json " * 200_000, "```" + "{" * 10**6, "\n" * 10**6]
)
def test_no_text_costs_more_than_its_length(answer: str) -> None:
    begun = time.process_time()
    marks_of(answer, answer)
    marks_of("Return JSON.", answer)
    assert time.process_time() - begun < 2.0  # a tenth of it on an idle machine; a square would take hours
    assert len(answer) >= LONGEST


def test_a_filters_marks_are_one_number() -> None:
    assert bits_of(["refusal", "empty", "refusal", "nonsense"]) == Mark.REFUSAL | Mark.EMPTY
    assert set(SLUGS) == {"invalid_json", "refusal", "empty", "other_language", "truncated", "repetition"}
