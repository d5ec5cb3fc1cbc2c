"""Comparing two answers, one pair after the other; what all choices add up to; and pairs whose raters disagree."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from lib.http import form_view, get_view, page_url, post_view, posted_text, undoable
from providers.audit.log import Action, person, record
from traffic.comparisons import queries, queue, services
from traffic.comparisons.page import CHOSEN, SIDE_WORDS, ChosenRow, ComparePage, ComparisonsPage, PairPage
from traffic.comparisons.rater import SIDES, Rater, candidate_is_first, installation_salt
from traffic.conversation import turns
from traffic.models import Pair

BATCH = 40  # choices that the end of the queue lists


@form_view("traffic.add_rating")
def compare(request: HttpRequest) -> HttpResponse:
    """The next pair of my applications; a choice leads to the one after it."""
    if request.method == "POST":
        return _choose(request)
    return render(request, "traffic/comparisons/compare.html", _context(request))


def _context(request: HttpRequest) -> dict[str, Any]:
    rater, now = Rater.of_user(request.user), timezone.now()
    within = queue.of_person(request.user)
    shown = None if "end" in request.GET else queue.next_pair(rater, within, now)
    if shown is not None:
        services.reserve(pair=shown.pair, rater=rater, now=now)
        record(Action.READ, actor=person(request), object_type="traffic.pair", object_id=shown.pair.pk,
               message=_("in the queue of comparisons"), chain=False)  # fmt: skip
    chosen = [] if shown else queue.choices_of(rater, BATCH)
    services.reveal(chosen)
    page = ComparePage(shown, queue.chosen_today(rater, now), queue.left(rater, within), diff="diff" in request.GET)
    return {
        "page": page,
        "turns": turns(shown.prompt) if shown else [],
        "chosen": [ChosenRow(choice) for choice in chosen],
        "diff_url": page_url(request, diff=None if page.diff else 1),
        "has_applications": bool(within),
    }


def _choose(request: HttpRequest) -> HttpResponse:
    rater = Rater.of_user(request.user)
    pair = _pair(request, request.POST.get("pair", ""))
    here = page_url(request)
    if "skip" in request.POST:
        note = services.skip(pair=pair, rater=rater, reason=posted_text(request, "reason"))
        undoable(request, _("Pair skipped."), "traffic:skip-undo", note.pk)
        return redirect(here)
    side = request.POST.get("choice", "")
    if side not in SIDES:
        context = _context(request) | {"error": _("Choose A, B, a tie, or that both are bad.")}
        return render(request, "traffic/comparisons/compare.html", context, status=422)
    try:
        choice = services.choose(pair=pair, rater=rater, side=side)
    except services.AlreadyChosen:
        messages.info(request, _("You have already compared this pair. Your first choice counts."))
    else:
        if queue.left(rater, queue.of_person(request.user)):
            undoable(request, str(CHOSEN[side]), "traffic:choice-undo", choice.pk)
        else:  # the next page shows who answered
            messages.success(request, str(CHOSEN[side]))
    return redirect(here)


def _pair(request: HttpRequest, number: str) -> Pair:
    """A pair that this person may read. Raises Http404."""
    pair = (
        queue.pair_of(int(number), queue.of_person(request.user)) if number.isdecimal() and len(number) < 19 else None
    )
    if pair is None:
        raise Http404(_("This pair is not here to be compared."))
    return pair


@post_view("traffic.add_rating")
def choice_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take one's own choice back, and show the pair again."""
    choice = queue.own_choice(Rater.of_user(request.user), pk)
    if choice is None:
        raise Http404(_("This choice is not yours, or it is already undone."))
    try:
        services.withdraw(choice)
    except services.Revealed:
        messages.error(request, _("This choice stays, because you have seen who answered."))
    else:
        messages.info(request, _("Choice undone."))
    return redirect(reverse("traffic:compare"))


@post_view("traffic.add_rating")
def skip_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a pair again that its rater skipped."""
    rater = Rater.of_user(request.user)
    note = queue.own_skip(rater, pk)
    if note is None:
        raise Http404(_("This pair is not skipped any more."))
    services.reserve(pair=note.pair, rater=rater, now=timezone.now())
    messages.info(request, _("The pair is back in your queue."))
    return redirect(reverse("traffic:compare"))


@get_view("traffic.view_quality")
def comparisons(request: HttpRequest) -> HttpResponse:
    """What all choices add up to, for each candidate and baseline."""
    results = queries.results()
    page = ComparisonsPage(results, queries.agreement(), queries.raters(), queries.strengths(results))
    adjudicator = request.user.has_perm("traffic.adjudicate")
    context = {
        "page": page,
        "disputed": queries.disputed_pairs(queue.of_person(request.user)) if adjudicator else [],
        "json_url": "/api/v1/comparisons",
    }
    return render(request, "traffic/comparisons/comparisons.html", context)


@get_view("traffic.adjudicate")
def pair_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """A disputed pair to decide, without names; with them once this person has chosen. Raises Http404 for others."""
    pair, rater = _pair(request, str(pk)), Rater.of_user(request.user)
    own = queue.choice_of(rater, pair)
    if own is None and not pair.disputed:
        raise Http404(_("This pair is not disputed, and you have not compared it."))
    texts = queue.texts(pair)
    first = candidate_is_first(pair, rater, installation_salt())
    page = PairPage(pair, texts, queue.choices_for(pair), first, own)
    if own is not None and page.is_named:
        services.reveal([own])
    context = {"pair": pair, "page": page, "turns": turns(texts.prompt) if texts else [], "sides": SIDE_WORDS.items()}
    return render(request, "traffic/comparisons/pair.html", context)


@post_view("traffic.adjudicate")
def pair_decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Decide a disputed pair, whatever its raters chose; with `gold` further raters are held to it."""
    pair, side = _pair(request, str(pk)), request.POST.get("choice", "")
    there = redirect(reverse("traffic:pair", args=[pair.pk]))
    if side not in SIDES:
        messages.error(request, _("Choose which answer is better."))
        return there
    reason, gold = posted_text(request, "comment"), "gold" in request.POST
    try:
        decision = services.adjudicate(pair=pair, side=side, comment=reason, gold=gold, by=request.user)
    except services.NotDisputed:
        raise Http404(_("This pair is not disputed.")) from None
    except services.Revealed:
        messages.error(request, _("You have seen who answered, so another person has to decide this pair."))
        return there
    record(Action.CHANGED, actor=person(request), object_type="traffic.pair", object_id=pair.pk,
           message=_("decided: %(outcome)s") % {"outcome": decision.get_outcome_display()})  # fmt: skip
    messages.success(request, _("Decision saved."))
    return there
