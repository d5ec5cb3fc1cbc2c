"""Rating answers: one after the other from the queue, blind, and taking a rating back."""

from __future__ import annotations

import uuid
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import AbstractBaseUser
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lib.http import form_view, get_view, post_view, undoable
from providers.audit.log import Action, person, record
from traffic.authentication.access import FIGURES
from traffic.conversation import turns
from traffic.models import Rating, Request
from traffic.ratings import queue as rating_queue
from traffic.ratings import services as ratings
from traffic.ratings.forms import RatingForm
from traffic.ratings.judgement import Judgement
from traffic.ratings.page import MyRatings, RatingPage
from traffic.ratings.queue import Answer
from traffic.request_ids import uuid_of

# What each number of stars means.
SCALE = (
    (1, gettext_lazy("Wrong"), gettext_lazy("False, harmful or off the question")),
    (2, gettext_lazy("Poor"), gettext_lazy("Some use, but must be redone")),
    (3, gettext_lazy("Nearly"), gettext_lazy("Usable only after changes")),
    (4, gettext_lazy("Good"), gettext_lazy("Usable as it stands")),
    (5, gettext_lazy("Excellent"), gettext_lazy("Nothing to improve")),
)
WORDS = {stars: word for stars, word, _about in SCALE}
REMEMBERED = "ratings_to_undo"  # in the session: what the last ratings replaced
UNDOABLE = 20
TYPED = "comment_typed"  # in the session: the comment of the rating that was taken back last
BATCH = 40  # ratings that the end of the queue lists
PAGE = 50


@form_view("traffic.add_rating")
def rate(request: HttpRequest) -> HttpResponse:
    """The next answer of my applications; a rating leads to the one after it."""
    if request.method != "POST":
        return render(request, "traffic/quality/rate.html", _queue(request, uuid_of(request.GET.get("at", ""))))
    identifier, following = uuid_of(request.POST.get("request", "")), uuid_of(request.POST.get("next", ""))
    waiting = None if identifier is None else rating_queue.answer(request.user, identifier)
    if waiting is None:
        raise Http404(_("This answer cannot be rated here."))
    here = reverse("traffic:rate")
    if "cannot" in request.POST:
        abstention = ratings.abstain(request=waiting.request, rater=current_user(request))
        undoable(request, _("Noted: you cannot judge this answer."), "traffic:abstention-undo", abstention.pk)
        return redirect(f"{here}?at={following}" if following else here)
    form = RatingForm(request.POST)
    if not form.is_valid():
        context = _queue(request, identifier) | {"form": form}
        return render(request, "traffic/quality/rate.html", context, status=422)
    judgement = Judgement(request.user.get_username(), None, form.cleaned_data["stars"], form.cleaned_data["comment"])
    rate_with_message(request, waiting.request, judgement, back=f"{here}?at={waiting.request.id}", blind=True)
    return redirect(f"{here}?at={following}" if following else here)


def _queue(request: HttpRequest, at: uuid.UUID | None) -> dict[str, Any]:
    """The answer to show, where it stands in the queue, and how far this person is today."""
    queue = rating_queue.waiting(request.user)
    place = queue.index(at) if at in queue else None
    shown = None if at is None else rating_queue.answer(request.user, at)
    if shown is None and queue:
        place, shown = 0, rating_queue.answer(request.user, queue[0])
    if shown is not None:
        record(Action.READ, actor=person(request), object_type="traffic.request", object_id=shown.request.id,
               message=_("in the rating queue"), chain=False)  # fmt: skip
    after = 0 if place is None else place + 1
    mine = None if shown is None else rating_queue.rating_by(request.user, shown.request)
    page = RatingPage(
        answer=shown,
        mine=mine,
        done=rating_queue.rated_today(request.user),
        waiting=len(queue),
        previous=queue[place - 1] if place else None,
        next=queue[after] if after < len(queue) else None,
        money=request.user.has_perm(FIGURES),
    )
    return {
        "page": page,
        "turns": turns(shown.prompt) if shown else [],
        "mine": mine,
        "comment": _comment(request, shown, mine),
        "rated": [] if shown else rating_queue.ratings_of(request.user, None, BATCH),
        "scale": SCALE,
        "passing_stars": Rating.PASSING_STARS,
        "applications": rating_queue.applications(request.user) if shown is None else None,
    }


def _comment(request: HttpRequest, shown: Answer | None, mine: Rating | None) -> str:
    """What stands in the comment's field: what was typed before the rating was taken back, else what is stored."""
    if shown is not None and request.session.get(TYPED, {}).get("request") == str(shown.request.id):
        return str(request.session[TYPED]["comment"])
    return mine.comment if mine else ""


@get_view("traffic.add_rating")
def my_ratings(request: HttpRequest) -> HttpResponse:
    """What I rated, with the models that answered; each leads to its answer, where it can be changed."""
    before = request.GET.get("before", "")
    rows = rating_queue.ratings_of(request.user, int(before) if before.isdecimal() and len(before) < 18 else None, PAGE)
    context = {
        "page": MyRatings(rows, rating_queue.rated_today(request.user), first=not before),
        "abstentions": [] if before else rating_queue.abstentions_of(request.user),
        "next_url": f"{request.path}?before={rows[-1].pk}" if len(rows) == PAGE else None,
        "first_url": request.path if before else None,
    }
    return render(request, "traffic/quality/my_ratings.html", context)


@post_view("traffic.add_rating")
def abstention_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Offer an answer again that its reader could not judge."""
    abstention = rating_queue.own_abstention(request.user, pk)
    if abstention is None:
        raise Http404(_("This note is not yours, or it was deleted."))
    back = f"{reverse('traffic:rate')}?at={abstention.request_id}"
    ratings.withdraw_abstention(abstention)
    messages.info(request, _("The answer is back in your queue."))
    return redirect(back)


def current_user(request: HttpRequest) -> AbstractBaseUser:
    """The user of a request that `login_required` let in."""
    return cast(AbstractBaseUser, request.user)


def rate_with_message(
    request: HttpRequest, rated: Request, judgement: Judgement, *, back: str, blind: bool = False
) -> Rating:
    """Store a judgement and show a toast with an undo and the rating. `blind`: without the model that answered, since
    the next answer is likely to be of the same one; the page at the end of the queue and My ratings name it."""
    before = ratings.judgement_of(rating_queue.rating_by(request.user, rated))
    rating = ratings.rate(request=rated, judgement=judgement, rater=current_user(request))
    remembered = request.session.get(REMEMBERED, {})
    remembered[str(rating.pk)] = {"before": before, "back": back}
    request.session[REMEMBERED] = dict(list(remembered.items())[-UNDOABLE:])
    if request.session.get(TYPED, {}).get("request") == str(rated.id):
        del request.session[TYPED]
    text = _("Rated %(stars)s, %(word)s.") if blind else _("Rated %(stars)s, %(word)s. It was %(model)s.")
    word = WORDS.get(judgement.stars or 0, "")
    sentence = text % {"stars": judgement.stars, "word": word, "model": rated.model}
    undoable(request, sentence, "traffic:rating-undo", rating.pk)
    return rating


@post_view("traffic.add_rating")
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take back a rating of one's own, and show the answer again."""
    rating = rating_queue.own_rating(request.user, pk)
    if rating is None:
        raise Http404(_("This rating is not yours, or it was deleted."))
    remembered = request.session.get(REMEMBERED, {})
    entry = remembered.pop(str(pk), None) or {}
    request.session[REMEMBERED] = remembered
    request.session[TYPED] = {"request": str(rating.request_id), "comment": rating.comment}
    ratings.undo(rating=rating, before=entry.get("before"))
    messages.info(request, _("Your rating is undone."))
    back = entry.get("back", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return redirect(back if safe else reverse("traffic:rate"))
