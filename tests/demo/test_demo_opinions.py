from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import pytest

from demo import company, opinions
from demo.story import Story
from demo.traffic import Traffic

Row = dict[str, Any]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    traffic = Traffic(Story(date(2026, 11, 1)))
    return [row for number in range(14) for row in traffic.day(date(2026, 11, 9) + timedelta(days=number)).rows]


def test_texts_are_short_pairs_for_every_simple_task() -> None:
    texts = opinions.texts()
    assert set(texts) == {"rag", "qa", "chat", "batch"}
    assert sum(len(pairs) for pairs in texts.values()) >= 60
    for pair in (pair for pairs in texts.values() for pair in pairs):
        assert {"prompt", "answer"} <= set(pair) <= {"prompt", "answer", "weak"}
        assert all(0 < len(text) < 600 for text in pair.values())


def test_only_good_rows_of_applications_that_opted_in_carry_a_text(rows: list[Row]) -> None:
    with_text = [row for row in map(opinions.with_text, rows) if "prompt" in row]
    assert 0.02 < len(with_text) / len(rows) < 0.06
    assert all(company.BY_SLUG[row["application"]].keeps_bodies for row in with_text)
    assert {row["outcome"] for row in with_text} == {"ok"}


def test_opinions_about_a_row_are_the_same_each_time(rows: list[Row]) -> None:
    sample = rows[:2000]
    assert [opinions.with_text(row) for row in sample] == [opinions.with_text(row) for row in sample]
    assert [list(opinions.opinions(row)) for row in sample] == [list(opinions.opinions(row)) for row in sample]


def test_several_people_judge_both_models_and_nobody_twice(rows: list[Row]) -> None:
    judged = [(row, opinion) for row in rows for opinion in opinions.opinions(row)]
    raters = {opinion.by for _, opinion in judged}
    assert len(raters) >= 4 and raters <= {*(person.username for person in company.PEOPLE), opinions.END_USER}
    assert {"self", "anthropic"} <= {row["provider"] for row, _ in judged}
    assert len({(opinion.response_id, opinion.by) for _, opinion in judged}) == len(judged)


def test_the_own_model_is_acceptable_but_not_as_good_as_claude(rows: list[Row]) -> None:
    scores: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        scores[row["provider"]] += [opinion.score >= 0 for opinion in opinions.opinions(row)]
    share = {provider: sum(good) / len(good) for provider, good in scores.items()}
    assert 0.76 < share["self"] < share["anthropic"]


def test_score_and_stars_of_an_opinion_agree(rows: list[Row]) -> None:
    for opinion in (opinion for row in rows for opinion in opinions.opinions(row)):
        assert {-1: (1, 2, 3), 0: (4,), 1: (4, 5)}[opinion.score].count(opinion.stars) == 1
