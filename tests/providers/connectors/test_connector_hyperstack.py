"""Hyperstack: answers as its reference has them become rows. Nobody of us has an account there: the recorded files are
written from docs.hyperstack.cloud, their prices are examples."""

from __future__ import annotations

from decimal import Decimal

import pytest

from providers.connectors import connect
from providers.connectors.base import AccountConfig, Connector, ConnectorError
from tests.providers.answers import Answers

KEY = "00000000-1111-2222-3333-444444444444"


def hyperstack(answers: Answers) -> Connector:
    return connect("hyperstack", AccountConfig(answers.url, KEY, local=True, timeout=2))


def test_a_machine_is_offered_at_the_price_books_price_of_one_gpu(answers: Answers) -> None:
    answers.say_recorded("/pricebook", "hyperstack_pricebook")
    answers.say_recorded("/core/flavors", "hyperstack_core_flavors")
    rows = hyperstack(answers).fetch_offers().rows
    assert [(r.gpu, r.gpu_count, r.memory_gb, r.kind, r.price_per_gpu_hour, r.region, r.available) for r in rows] == [
        ("RTX A6000", 1, 48, "on_demand", Decimal("0.5"), "NORWAY-1", True),
        ("A100 80GB", 1, 80, "on_demand", Decimal("1.35"), "CANADA-1", True),
        ("A100 80GB", 8, 80, "on_demand", Decimal("1.35"), "CANADA-1", False),
        ("A100 80GB", 1, 80, "spot", Decimal("1.08"), "CANADA-1", True),
    ]  # an L40 has no price there, and a CPU machine no GPU
    assert {headers["api_key"] for *_rest, headers, _body in answers.asked} == {KEY}


def test_the_key_is_proved_by_the_price_book(answers: Answers) -> None:
    answers.say_recorded("/pricebook", "hyperstack_pricebook")
    assert hyperstack(answers).test() == "The key works: the price book has 5 prices."


def test_a_price_book_of_another_shape_is_a_sentence(answers: Answers) -> None:
    answers.say("/pricebook", {"status": True, "pricebook": []})
    with pytest.raises(ConnectorError, match="Hyperstack") as caught:
        hyperstack(answers).fetch_offers()
    assert not caught.value.permanent
