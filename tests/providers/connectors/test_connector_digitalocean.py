"""DigitalOcean: answers as its reference has them become rows; prices and memory are of a whole Droplet."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from providers.connectors import connect
from providers.connectors.base import AccountConfig, Connector, ConnectorError
from tests.providers.answers import Answers


def digitalocean(answers: Answers) -> Connector:
    return connect("digitalocean", AccountConfig(answers.url, "dop_v1_test_key_0123456789", local=True, timeout=2))


def test_an_offer_is_priced_per_gpu_and_stands_in_every_region_of_every_page(answers: Answers) -> None:
    answers.say_recorded("/sizes", "digitalocean_sizes")
    answers.say_recorded("/sizes", "digitalocean_sizes_2")
    rows = digitalocean(answers).fetch_offers().rows
    assert [
        (row.gpu, row.gpu_count, row.memory_gb, row.price_per_gpu_hour, row.region, row.available) for row in rows
    ] == [
        ("H100", 1, 80, Decimal("3.39"), "nyc2", True),
        ("H100", 1, 80, Decimal("3.39"), "tor1", True),
        ("H100", 8, 80, Decimal("2.99"), "tor1", True),
        ("RTX 4000 Ada", 1, 20, Decimal("0.76"), "tor1", True),
        ("MI300X", 1, 192, Decimal("1.99"), "", False),
    ]
    assert [dict(query)["page"] for _method, _path, query, _headers, _body in answers.asked] == ["1", "2"]
    assert {headers["authorization"] for *_rest, headers, _body in answers.asked} == {
        "Bearer dop_v1_test_key_0123456789"
    }


def test_droplets_become_leases_and_one_that_is_off_costs_on(answers: Answers) -> None:
    answers.say_recorded("/droplets", "digitalocean_droplets")
    active, off = digitalocean(answers).fetch_leases().rows
    assert (active.external_id, active.name, active.gpu, active.price_per_hour, active.state) == (
        *("3164444", "mistral-7b", "H100", Decimal("3.39"), "running"),
    )
    assert (active.region, active.started_at) == ("tor1", datetime(2026, 11, 20, 8, 15, tzinfo=UTC))
    assert (off.state, off.raw_state, off.price_per_hour) == ("stopped", "off", Decimal("0.76"))
    assert dict(answers.asked[0][2])["type"] == "gpus"


def test_the_key_is_proved_by_the_account(answers: Answers) -> None:
    answers.say_recorded("/account", "digitalocean_account")
    assert digitalocean(answers).test() == "The key belongs to Demo Company."


def test_a_next_page_elsewhere_is_not_followed(answers: Answers) -> None:
    there = {"links": {"pages": {"next": "https://elsewhere.example/v2/sizes?page=2"}}, "sizes": []}
    answers.say("/sizes", there)
    answers.say("/sizes", {"links": {}, "sizes": []})
    assert digitalocean(answers).fetch_offers().rows == []
    assert len(answers.asked) == 2


def test_a_list_that_never_ends_is_stopped(answers: Answers) -> None:
    answers.say("/sizes", {"links": {"pages": {"next": "https://api.example/v2/sizes?page=2"}}, "sizes": []})
    with pytest.raises(ConnectorError, match="repeats the same page"):
        digitalocean(answers).fetch_offers()


@pytest.mark.parametrize(
    "change", [{"price_hourly": -1}, {"price_hourly": None}, {"regions": None}, {"gpu_info": {"count": 1}}]
)
def test_a_size_that_cannot_be_is_a_sentence(answers: Answers, change: dict[str, Any]) -> None:
    info = {"count": 1, "vram": {"amount": 80, "unit": "gib"}, "model": "nvidia_h100"}
    size = {"slug": "s", "price_hourly": 1, "regions": ["a"], "available": True, "gpu_info": info}
    answers.say("/sizes", {"sizes": [size | change]})
    with pytest.raises(ConnectorError, match="response in an unknown format"):
        digitalocean(answers).fetch_offers()
