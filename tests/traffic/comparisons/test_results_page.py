"""Results of comparisons in words, raters' agreement beside them, and pairs that an adjudicator decides."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from providers.models import AuditEntry, Deployment
from tests.factories import DeploymentFactory, PairFactory, TrialFactory
from tests.traffic.comparisons.rows import pairs_of, two_sides
from tests.traffic.people import application, logged_in, person, text
from traffic.comparisons import queries, services
from traffic.comparisons.page import ComparePage, ComparisonsPage, RaterRow, ResultRow
from traffic.comparisons.queries import RaterCounts, Result
from traffic.comparisons.rater import Rater, candidate_is_first, installation_salt
from traffic.models import Application, Pair, PairChoice
from traffic.quality.agreement import Agreement
from traffic.ratings import services as ratings

RESULTS = "/quality/comparisons/"
NO_AGREEMENT = Agreement(None, "nominal", 0, 0)


def result(wins: int, ties: int, losses: int, **more: Any) -> Result:
    sides = Deployment(slug="own", name="Own"), Deployment(slug="api", name="API")
    return Result(*sides, wins=wins, ties=ties, losses=losses, **more)


@pytest.mark.parametrize(
    ("made", "word", "sentence", "enough"),
    [
        (result(60, 40, 20), "Better", "Own is rated better than API.", "Enough pairs"),
        (result(10, 200, 9), "Not worse", "Own is not rated worse than API.", "Enough pairs"),
        (result(5, 40, 40), "Worse", "Own is rated worse than API.", "Enough pairs"),
        (result(3, 30, 4), "Not enough data", "Not enough data to compare Own with API.", "more pairs are needed"),
        (result(0, 0, 0), "Not enough data", "Not enough data to compare Own with API.", "No choices yet"),
        (result(90, 10, 95), "Not enough data", "Not enough data to compare Own with API.", "more pairs are needed"),
    ],
)
def test_a_verdict_in_words(made: Result, word: str, sentence: str, enough: str) -> None:
    row = ResultRow(made)
    assert (row.word(), row.sentence()) == (word, sentence)
    assert enough in row.enough()
    assert ("percentage points" in row.apart()) == bool(made.pairs)


def test_the_headline_is_the_most_compared_two() -> None:
    page = ComparisonsPage([result(5, 40, 40), result(0, 0, 0)], NO_AGREEMENT, [])
    assert page.headline() == "Own is rated worse than API. 85 pairs: 28 to 53 percentage points worse."
    assert page.scale == 0.6 and page.margin == -0.05
    undecided = ComparisonsPage([result(3, 30, 4)], NO_AGREEMENT, []).headline()
    assert (
        undecided.startswith("Not enough data to compare Own with API. About ")
        and "more pairs are needed." in undecided
    )
    assert "disputed" in ResultRow(result(1, 2, 1, disputed=2)).disputed()
    assert ComparisonsPage([], NO_AGREEMENT, []).headline() == "No pair of answers has been compared."


@pytest.mark.parametrize(
    ("agreement", "heading", "words"),
    [
        (Agreement(0.81, "nominal", 2, 40), "Raters agree", "alpha is 0.81, and 0.67 is required."),
        (Agreement(0.3, "nominal", 2, 40), "Raters do not agree enough", "Agree on the criteria"),
        (Agreement(-0.02, "nominal", 2, 40), "Raters do not agree enough", "alpha is −0.02, and 0.67"),
        (Agreement(0.9, "nominal", 2, 9), "Agreement is not known", "10 are needed"),
        (Agreement(None, "nominal", 2, 40), "Agreement is not known", "All choices are the same"),
    ],
)
def test_agreement_in_words(agreement: Agreement, heading: str, words: str) -> None:
    page = ComparisonsPage([], agreement, [])
    assert page.agreement_heading() == heading and words in page.agreement_words()


def test_a_rater_who_prefers_a_side_is_seen() -> None:
    fair = RaterRow(RaterCounts("ann", 40, 30, 16, 20, 18, 0, 0))
    biased = RaterRow(RaterCounts("ben", 40, 30, 28, 20, 9, 5, 2))
    assert not fair.is_biased() and biased.is_biased()
    assert biased.side().startswith("93") and biased.with_others() == "9 of 20" and biased.gold() == "2 of 5"
    assert RaterRow(RaterCounts("cleo", 3, 0, 0, 0, 0, 0, 0)).side() == ""


def test_the_counts_of_the_queue_in_words() -> None:
    assert ComparePage(None, 0, 0).headline() == "<b>0 pairs</b> compared today, none left."
    assert ComparePage(None, 1, 7).headline() == "<b>1 pair</b> compared today, 7 left."
    assert "1,000 or more left" in ComparePage(None, 1, 1000).headline()


@pytest.mark.django_db
def test_sides_that_changed_places_are_one_result() -> None:
    own, api = two_sides()
    PairFactory.create_batch(3, candidate=own, baseline=api, task="rag", outcome="candidate", votes=1)
    PairFactory.create_batch(2, candidate=api, baseline=own, task="rag", outcome="candidate", votes=1)
    PairFactory.create(candidate=api, baseline=own, task="qa", outcome="both_bad", votes=1)
    [made] = queries.results()
    assert (made.candidate, made.wins, made.losses, made.both_bad) == (own, 3, 2, 1)
    assert [(row.task, row.pairs) for row in made.tasks] == [("rag", 5), ("qa", 1)]
    assert queries.strengths([made]) is None


@pytest.mark.django_db
def test_repeats_of_a_prompt_old_pairs_and_trials_that_do_not_count_are_left_out() -> None:
    own, api = two_sides()
    other = DeploymentFactory.create(slug="other", name="Other", provider="acme")
    sides = {"candidate": own, "baseline": api, "votes": 1}
    PairFactory.create_batch(5, **sides, outcome="candidate", prompt_digest="a" * 64)
    PairFactory.create(candidate=api, baseline=own, votes=1, outcome="candidate", prompt_digest="a" * 64)  # the newest
    PairFactory.create_batch(3, candidate=own, baseline=api, outcome="", prompt_digest="a" * 64)  # wait
    PairFactory.create_batch(2, **sides, outcome="tie")  # of prompts that are not known
    PairFactory.create(candidate=own, baseline=other, votes=1, outcome="candidate", prompt_digest="a" * 64)
    old = PairFactory.create(**sides, outcome="candidate")
    Pair.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=91))
    apart = TrialFactory.create(used_in_break_even=False)
    PairFactory.create(**sides, outcome="candidate", trial_id=apart.pk)
    made = {result.baseline.slug: result for result in queries.results()}
    whole = (made["api"].wins, made["api"].ties, made["api"].losses, made["api"].waiting)
    assert whole == (0, 2, 1, 1) and (made["other"].wins, made["other"].pairs) == (1, 1)
    both = queries.own_against_api()
    assert (both.wins, both.ties, both.losses, both.waiting) == (1, 2, 1, 1)
    outcome = queries.result_of(own, api)
    assert (outcome.wins, outcome.ties, outcome.losses) == (0, 2, 1)
    client = logged_in(person("ada", "traffic.add_rating", "traffic.view_quality"))
    assert "Pairs of the last 90 days count" in text(client, RESULTS)


@pytest.mark.django_db
def test_three_deployments_stand_on_one_scale() -> None:
    names = [DeploymentFactory.create(slug=slug, name=slug.title(), provider="vendor") for slug in ("x", "y", "z")]
    for one, other in ((0, 1), (1, 2), (0, 2)):
        for outcome, count in (("candidate", 20), ("tie", 3), ("baseline", 4)):
            PairFactory.create_batch(count, candidate=names[one], baseline=names[other], outcome=outcome, votes=1)
    strengths = queries.strengths(queries.results())
    assert strengths is not None and [row.name for row in strengths] == ["X", "Y", "Z"]
    rows = ComparisonsPage([], NO_AGREEMENT, [], strengths).strength_rows()
    assert rows[0]["passes"] and not rows[-1]["passes"] and 0.5 < float(str(rows[0]["value"])) < 1


def test_an_adjudicator_decides_a_disputed_pair(conn: psycopg.Connection, transactional_db: None) -> None:
    permissions = ("traffic.add_rating", "traffic.view_quality", "traffic.adjudicate")
    judge = person("judge", *permissions)
    shop = application("shop", judge)
    [pair] = pairs_of(conn, shop, 1)
    for by, side in (("ann", "tie"), ("ben", "both_bad")):
        services.choose(pair=pair, rater=Rater("installation", by), side=side)
    client = logged_in(judge)
    assert f"Decide pair {pair.pk}" in text(client, RESULTS) and "disputed" in text(client, RESULTS)
    first = candidate_is_first(pair, Rater.of_user(judge), installation_salt())
    page = text(client, f"{RESULTS}{pair.pk}/")
    order = ("Ours 0.", "Theirs 0.") if first else ("Theirs 0.", "Ours 0.")
    assert page.index(order[0]) < page.index(order[1])
    assert not re.search("Own model|API model", page) and "2 raters compared this pair." in page and "ann" in page
    assert client.post(f"{RESULTS}{pair.pk}/decide/", {"choice": "odd"}).status_code == 302
    assert Pair.objects.get().disputed
    sent = {"choice": "a" if first else "b", "comment": "<i>B</i> invents a date", "gold": "1"}
    client.post(f"{RESULTS}{pair.pk}/decide/", sent)
    pair.refresh_from_db()
    assert (pair.outcome, pair.disputed, pair.gold, pair.votes) == ("candidate", False, "candidate", 3)
    page = text(client, f"{RESULTS}{pair.pk}/")
    assert "&lt;i&gt;B&lt;/i&gt; invents a date" in page and "chose between Own model and API model." in page
    assert "This pair is decided." in page and 'name="gold"' not in page
    assert AuditEntry.objects.get(object_type="traffic.pair").message == "decided: candidate better"
    # The names are known from here on, so the decision stands: no second one, and no undo.
    assert client.post(f"{RESULTS}{pair.pk}/decide/", {"choice": "tie"}).status_code == 404
    client.post(f"/quality/compare/choices/{PairChoice.objects.get(adjudicates=True).pk}/undo/")
    pair.refresh_from_db()
    assert (pair.outcome, pair.gold, pair.votes) == ("candidate", "candidate", 3)
    outsider = logged_in(person("other", *permissions))
    assert outsider.get(f"{RESULTS}{pair.pk}/").status_code == 404
    assert logged_in(person("staff", *permissions[:2])).get(f"{RESULTS}{pair.pk}/").status_code == 403


def test_only_a_disputed_pair_or_one_of_ones_own_is_open(conn: psycopg.Connection, transactional_db: None) -> None:
    judge = person("judge", "traffic.add_rating", "traffic.view_quality", "traffic.adjudicate")
    shop = application("shop", judge)
    pairs = pairs_of(conn, shop, 2)
    client, own = logged_in(judge), Rater.of_user(judge)
    url = f"{RESULTS}{pairs[0].pk}/"
    assert client.get(url).status_code == 404
    assert client.post(f"{url}decide/", {"choice": "tie"}).status_code == 404
    services.choose(pair=pairs[0], rater=own, side="tie")
    assert "Own model" in text(client, url)
    assert PairChoice.objects.get().revealed_at is not None  # the page named the deployments, so it stands
    services.choose(pair=pairs[0], rater=Rater("installation", "ann"), side="both_bad")
    assert "another person has to decide this pair." in text(client, url)
    client.post(f"{url}decide/", {"choice": "both_bad"})
    assert Pair.objects.get(pk=pairs[0].pk).disputed
    # Without the names, one's own choice does not stand in the way.
    services.choose(pair=pairs[1], rater=own, side="tie")
    services.choose(pair=pairs[1], rater=Rater("installation", "ann"), side="both_bad")
    url = f"{RESULTS}{pairs[1].pk}/"
    assert "Own model" not in text(client, url)
    client.post(f"{url}decide/", {"choice": "both_bad"})
    assert Pair.objects.get(pk=pairs[1].pk).outcome == "both_bad"
    assert [row.choices for row in queries.raters() if row.name == "judge"] == [1]


@pytest.mark.django_db
def test_the_page_without_and_with_results() -> None:
    client = logged_in(person("ada", "traffic.add_rating", "traffic.view_quality"))
    assert "Pairs come from trials" in text(client, RESULTS)
    own, api = two_sides()
    PairFactory.create_batch(60, candidate=own, baseline=api, task="rag", outcome="candidate", votes=1)
    PairFactory.create_batch(20, candidate=own, baseline=api, task="qa", outcome="tie", votes=1)
    page = text(client, RESULTS)
    assert "Own model is rated better than API model." in page and "by task" in page and "Enough pairs" in page


@pytest.mark.django_db
def test_agreement_counts_raters_and_not_adjudicators() -> None:
    own, api = two_sides()
    ann, ben, judge = (Rater.of_user(person(name)) for name in ("ann", "ben", "judge"))
    for outcomes in (("tie", "tie"), ("candidate", "candidate"), ("candidate", "baseline")):
        pair = PairFactory.create(candidate=own, baseline=api, votes=2)
        for rater, outcome in zip((ann, ben), outcomes, strict=True):
            pair.choices.create(**rater.columns(), rater_id=rater.user_id, outcome=outcome, candidate_first=True)
        pair.choices.create(**judge.columns(), outcome="tie", candidate_first=True, adjudicates=True)
        Pair.objects.filter(pk=pair.pk).update(gold="tie")
    made = queries.agreement()
    assert (made.raters, made.items) == (2, 3) and made.alpha == pytest.approx(1 - 5 * 2 / 22)
    of_ann = next(row for row in queries.raters() if row.name == "ann")
    assert (of_ann.choices, of_ann.chose_a_side, of_ann.chose_first, of_ann.gold_right) == (3, 2, 2, 1)
    assert [row.name for row in queries.raters()] == ["ann", "ben"]
    assert Application.objects.count() == 0


@pytest.mark.django_db
def test_a_name_that_its_rater_hides_stands_on_no_page_of_comparisons() -> None:
    shop, ada = application("shop"), person("ada")
    own, api = two_sides()
    pairs = PairFactory.create_batch(2, candidate=own, baseline=api, application=shop, votes=2, disputed=True)
    services.choose(pair=pairs[0], rater=Rater.of_user(ada), side="tie")
    ada.username = "lovelace"
    ada.save()
    services.choose(pair=pairs[1], rater=Rater.of_user(ada), side="tie")
    with pytest.raises(services.AlreadyChosen):
        services.choose(pair=pairs[0], rater=Rater.of_user(ada), side="a")
    Pair.objects.update(disputed=True)
    assert [(row.name, row.choices) for row in queries.raters()] == [("lovelace", 2)]
    ratings.set_name_hidden(ada, True)
    assert [row.name for row in queries.raters()] == ["name hidden"]
    decider = logged_in(person("root", is_superuser=True))
    for address in (RESULTS, f"{RESULTS}{pairs[0].pk}/"):
        page = text(decider, address)
        assert "name hidden" in page and ">ada" not in page and "lovelace" not in page, address
