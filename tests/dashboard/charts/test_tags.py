from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone, translation

from costs.price_sheets.sheets import Span
from dashboard.templatetags.page import undo_url
from lib import formats as money

THIN = money.THIN
NOW = dt.datetime(2026, 6, 18, 14, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def june(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOW)


def rendered(source: str, **context: object) -> str:
    return Template(source).render(Context(context))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1234.5649"), "1,234.56"),
        (Decimal(0), "0.00"),
        (Decimal("-7.5"), "−7.50"),
        (Decimal("0.000000000001"), "<0.01"),
        (Decimal("-0.001"), ">−0.01"),
        ("231.770000000000", "231.77"),
        (12, "12.00"),
    ],
)
def test_money_has_two_decimals_and_a_real_minus(value: object, text: str) -> None:
    assert money.usd(value) == text


@pytest.mark.parametrize("value", [None, "", "many", Decimal("NaN"), True])
def test_what_is_not_known_is_marked_and_never_zero(value: object) -> None:
    assert money.usd(value) == '<span class="provenance provenance-unknown">unknown</span>'
    assert "0" not in money.count(value)


def test_a_figure_that_does_not_apply_is_shown_as_a_dash() -> None:
    assert rendered('{{ None|usd:"dash" }}{{ None|count:"dash" }}') == '<span class="none">–</span>' * 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0.00315", "0.0032"),
        ("0.000034", "0.000034"),
        ("1.5", "1.5000"),
        ("0", "0.0000"),
        ("0.000000000012", "0.000000000012"),
    ],
)
def test_the_cost_of_one_request_keeps_its_digits(value: str, text: str) -> None:
    assert money.usd4(Decimal(value)) == text


@pytest.mark.parametrize(
    ("value", "text"), [("0.02500000", "0.025"), ("15", "15.00"), ("1E+3", "1,000.00"), ("0.01875", "0.01875")]
)
def test_a_rate_keeps_all_its_digits(value: str, text: str) -> None:
    assert money.rate(Decimal(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [("231.77", "$231.77"), ("-38", "−$38.00"), ("0.001", "<$0.01"), ("1234567.891", "$1,234,567.89")],
)
def test_sentences_carry_the_dollar_sign_once(value: str, text: str) -> None:
    assert money.dollars(Decimal(value)) == text


def test_a_total_with_an_unknown_in_it_says_at_least() -> None:
    assert money.at_least(Decimal("231.77"), 41) == f"≥{THIN}231.77"
    assert money.at_least(Decimal("231.77"), 0) == "231.77"


@pytest.mark.parametrize(
    ("share", "places", "text"),
    [
        ("0.94", "", "94 %"), ("0.0009", "", "0.1 %"), ("0", "", "0 %"), ("1", "", "100 %"), ("0.9997", "", "99 %"),
        ("0.99999", 2, "99.99 %"), ("0.9995", 2, "99.95 %"), ("0.00001", "", "<0.1 %"), ("-0.13", "", "−13 %"),
        ("1.13", "", "113 %"),
    ],
)  # fmt: skip
def test_a_share_is_never_rounded_to_all_or_nothing(share: str, places: int | str, text: str) -> None:
    assert money.percent(Decimal(share), places) == text.replace(" ", THIN)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (84, "84 ms"), (1240, "1.24 s"), (12_400, "12.4 s"), (190_000, "3 min 10 s"), (34_800_000, "9 h 40 min"),
        (999.6, "1.00 s"),
        (1_036_800_000, "12 d"), (120_000, "2 min"), (-84, "−84 ms"), (dt.timedelta(seconds=84), "1 min 24 s"),
    ],
)  # fmt: skip
def test_times_taken_are_said_in_the_unit_that_fits(ms: object, text: str) -> None:
    assert money.duration(ms) == text


def test_a_moment_is_a_time_in_utc() -> None:
    rome = NOW.astimezone(dt.timezone(dt.timedelta(hours=2)))
    assert money.when(rome) == '<time class="when" datetime="2026-06-18T14:00:00Z">18 Jun, 14:00</time>'
    assert "9 Mar 2025, 05:07" in money.when(dt.datetime(2025, 3, 9, 5, 7, tzinfo=dt.UTC))
    assert money.when(dt.date(2026, 6, 9)) == '<time datetime="2026-06-09">9 Jun</time>'


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2, "now"),
        (30, "30 s ago"),
        (600, "10 min ago"),
        (26 * 3600, "26 h ago"),
        (12 * 86400, "12 d ago"),
        (-900, "in 15 min"),
    ],
)
def test_an_age_has_one_unit(seconds: int, text: str) -> None:
    assert f">{text}</time>" in money.ago(NOW - dt.timedelta(seconds=seconds))


def test_a_change_stands_with_its_share() -> None:
    assert (
        rendered("{% delta a b %}", a=Decimal("231.77"), b=Decimal("212.17"))
        == f'+19.60 <span class="delta">(+9{THIN}%)</span>'
    )
    assert rendered("{% delta a b %}", a=Decimal(3), b=Decimal(0)) == "+3.00"
    assert rendered("{% delta a b %}", a=None, b=Decimal(0)) == '<span class="none">–</span>'


def test_a_split_is_known_from_its_largest_part_first() -> None:
    badges = money.known_from({"billed": "5", "measured": Decimal(95), "estimated": "0"})
    assert badges.index("measured 95") < badges.index("billed 5")
    assert "estimated" not in badges


def test_names_are_escaped_in_states_and_badges() -> None:
    assert "<script>" not in money.state("ok", "<script>") + money.provenance("measured", text="<script>")


def test_a_state_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="ok, warn, bad"):
        money.state("great", "Great")


def test_another_language_brings_its_own_marks() -> None:
    with translation.override("it"):
        assert money.usd(Decimal("1234.56")) == "1.234,56"


def sorted_head(query: str) -> str:
    request = RequestFactory().get(f"/spend/?{query}")
    return rendered('{% th "cost" "Cost" numeric=True default="-cost" %}', request=request)


def test_a_heading_sorts_the_other_way_the_second_time() -> None:
    head = sorted_head("")
    assert head.startswith('<th scope="col" class="num" aria-sort="descending"><a id="sort-cost" href="?sort=cost" hx-')
    assert head.endswith(">Cost</a></th>")
    assert 'href="?sort=-cost"' in sorted_head("sort=name")
    assert 'aria-sort="ascending"' in sorted_head("sort=cost")


def test_a_heading_keeps_the_filters_that_are_set_and_drops_the_cursor() -> None:
    assert 'href="?sort=cost"' in sorted_head("provider=&page=3&before=9&as=csv")
    assert 'href="?provider=runpod&amp;sort=-cost"' in sorted_head("provider=runpod&sort=name&cursor=abc")


@pytest.mark.parametrize(
    ("tags", "url"),
    [
        ("undo:/alerts/3/undo/", "/alerts/3/undo/"),
        ("", ""),
        (None, ""),
        ("undo://evil.example/", ""),
        ("undo:https://evil.example", ""),
    ],
)
def test_an_undo_leads_to_our_own_pages_only(tags: str | None, url: str) -> None:
    assert undo_url(tags) == url


def test_sentences_stand_in_one_line_without_the_empty_ones_and_texts_are_escaped() -> None:
    assert money.sentences("One.", "", money.when(NOW), "<b>") == f"One. {money.when(NOW)} &lt;b&gt;"


def test_a_span_is_one_figure_where_both_ends_are_equal() -> None:
    wide, narrow = Span(Decimal(40), Decimal("62.5")), Span(Decimal(40), Decimal(40))
    assert (money.usd_span(wide), money.usd_span(narrow)) == ("40.00–62.50", "40.00")
    assert (money.span(wide), money.span(wide, 0), money.span(narrow)) == ("40–62.50", "40–63", "40")
