"""Rating answers: one after the other from the queue, blind, and taking a rating back."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import AbstractBaseUser
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lib.http import form_view, get_view, post_view, posted_text, undoable
from providers.audit.log import Action, person, record
from traffic.authentication.access import FIGURES
from traffic.conversation import turns
from traffic.models import Rating, Request, Rubric
from traffic.queues import queries as work_queues
from traffic.queues import services as entries
from traffic.queues.queries import Progress
from traffic.ratings import queue as rating_queue
from traffic.ratings import services as ratings
from traffic.ratings.export import judged_by
from traffic.ratings.forms import RatingForm
from traffic.ratings.judgement import Judgement
from traffic.ratings.page import MyRatings, RatingPage, blind_since, context_turns, criterion_fields
from traffic.ratings.queue import Answer
from traffic.rendering import rendered
from traffic.request_ids import uuid_of
from traffic.rubrics import queries as rubrics
from traffic.rubrics.criteria import criteria_of, valid_marks
from traffic.visibility import Person, rateable

# What each number of stars means.
SCALE = (
    (1, gettext_lazy("Wrong"), gettext_lazy("False, harmful or off the question")),
    (2, gettext_lazy("Poor"), gettext_lazy("Some use, but must be redone")),
    (3, gettext_lazy("Nearly"), gettext_lazy("Usable only after changes")),
    (4, gettext_lazy("Good"), gettext_lazy("Usable as it stands")),
    (5, gettext_lazy("Excellent"), gettext_lazy("Nothing to improve")),
)
WORDS = {stars: word for stars, word, _about in SCALE}
CLOSED = gettext_lazy("This queue is closed, or you are not one of its raters.")
REMEMBERED = "ratings_to_undo"  # in the session: what the last ratings replaced
UNDOABLE = 20
BATCH = 40  # ratings that the end of the queue lists
PAGE = 50


@form_view("traffic.add_rating")
def rate(request: HttpRequest) -> HttpResponse:
    """The next answer of a queue, or of my applications; a rating leads to the one after it."""
    within = rateable(request.user)
    work, asked_for_queue = _work(request)
    if request.method != "POST" and "ahead" in request.GET:
        after = uuid_of(request.GET.get("after", ""))
        usable = after is not None and (work is not None or not asked_for_queue)
        context = _page(request, within, work, after=after) if usable else {}
        if not context or context["page"].answer is None:
            return HttpResponse(status=204)
        return render(request, "traffic/quality/_rate.html", context | {"ahead": True})
    if request.method != "POST":
        if work is None and asked_for_queue:
            messages.info(request, CLOSED)
            return redirect("traffic:queues")
        return render(request, "traffic/quality/rate.html", _page(request, within, work))
    shown = _posted_answer(request, within)
    following = uuid_of(request.POST.get("next", ""))
    here = reverse("traffic:rate") + (f"?queue={work.queue.pk}" if work else f"?at={following}" if following else "")
    if "cannot" in request.POST:
        reason = posted_text(request, "comment")
        abstention = ratings.abstain(request=shown.request, rater=current_user(request), reason=reason)
        undoable(request, _("Noted: you cannot judge this answer."), "traffic:abstention-undo", abstention.pk)
        return redirect(here)
    form = RatingForm(request.POST, _rubric(request, shown, work, None))
    if not form.is_valid():
        context = _page(request, within, work, shown) | {"form": form}
        return render(request, "traffic/quality/rate.html", context, status=422)
    back = f"{reverse('traffic:rate')}?{f'queue={work.queue.pk}&' if work else ''}at={shown.request.id}"
    rate_with_message(request, shown.request, form.judgement(), mine=shown.mine, back=back, blind=True)
    if (ahead := uuid_of(request.POST.get("ahead", ""))) is not None:
        if asked_for_queue and work is None:
            messages.info(request, CLOSED)
            return redirect("traffic:rate")
        if not (why := _why_not(request, work, within, ahead)):
            return render(request, "_messages.html")
        messages.info(request, why)
        return redirect(here if work else reverse("traffic:rate"))
    return redirect(here)


def _why_not(request: HttpRequest, work: Progress | None, within: list[int], ahead: uuid.UUID) -> str:
    """Why the answer that was loaded ahead cannot be rated next; empty, and it stays reserved, where it can."""
    shown = rating_queue.answer(request.user, ahead, within)
    if shown is None:
        return _("The text of the next answer was deleted. Another answer is shown.")
    if shown.judged:
        return _("You judged the next answer in another tab. Another answer is shown.")
    if work is not None and not entries.extend(request.user, ahead, timezone.now()):
        return _("Another rater has the next answer now. Another answer is shown.")
    return ""


@post_view("traffic.add_rating")
def draft(request: HttpRequest) -> HttpResponse:
    """Save what is typed about an answer, as far as it is valid, so that it survives a reload."""
    shown = _posted_answer(request, rateable(request.user))
    rubric = _rubric(request, shown, None, None)
    marks = valid_marks(criteria_of(rubric.criteria) if rubric else [], request.POST)
    typed = {"comment": posted_text(request, "comment"), "marks": marks}
    ratings.save_draft(day=shown.request.day, request_id=shown.request.id, rater=current_user(request), typed=typed)
    return HttpResponse(status=204)


def _work(request: HttpRequest) -> tuple[Progress | None, bool]:
    """The queue that the address or the form names, if this person may rate in it; and whether one is named."""
    named = (request.POST if request.method == "POST" else request.GET).get("queue", "")
    if not named:
        return None, False
    is_number = named.isdecimal() and len(named) < 18
    return (work_queues.open_queue(request.user, int(named)) if is_number else None), True


def _posted_answer(request: HttpRequest, within: list[int]) -> Answer:
    """The answer that a form is about: who has read a text that was deleted since can still rate it. Raises Http404."""
    identifier = uuid_of(request.POST.get("request", ""))
    shown = None if identifier is None else rating_queue.answer(request.user, identifier, within, deleted=True)
    if shown is None:
        raise Http404(_("This answer cannot be rated here."))
    return shown


def _rubric(request: HttpRequest, shown: Answer, work: Progress | None, mine: Rating | None) -> Rubric | None:
    """The version that the form was made with, that of the reader's rating, the queue's, or the task's current one."""
    sent = request.POST.get("rubric", "")
    if sent.isdecimal() and len(sent) < 18:
        return rubrics.rubric_for(shown.request.task, int(sent))
    if mine is not None and mine.rubric_id is not None:
        return rubrics.rubric_for(shown.request.task, mine.rubric_id)
    return work.queue.rubric if work and work.queue.rubric else rubrics.rubric_for(shown.request.task)


def _page(
    request: HttpRequest,
    within: list[int],
    work: Progress | None,
    shown: Answer | None = None,
    after: uuid.UUID | None = None,
) -> dict[str, Any]:
    """The answer to show, where it stands in the queue, and how far this person is today; or the answer `after` the
    one on screen, as the page will be when that one is rated."""
    at = shown.request.id if shown else uuid_of(request.GET.get("at", ""))
    queue = [] if work else rating_queue.waiting(request.user, within)
    if after is not None:
        at = dict(pairwise(queue)).get(after)
    place = queue.index(at) if at in queue else None
    if shown is None and work is not None:
        shown = _answer_of(request, work, within, at, after)
    elif shown is None and at is not None:
        shown = rating_queue.answer(request.user, at, within)
    if shown is None and queue and after is None:
        place, shown = 0, rating_queue.answer(request.user, queue[0], within)
    if shown is not None:
        record(Action.READ, actor=person(request), object_type="traffic.request", object_id=shown.request.id,
               message=_("in the rating queue"), chain=False)  # fmt: skip
    following = 0 if place is None else place + 1
    mine = None if shown is None else shown.mine
    rubric = None if shown is None else _rubric(request, shown, work, mine)
    typed = (shown.draft if shown else None) or (
        {"comment": mine.comment, "marks": mine.marks} if mine else {"comment": "", "marks": {}}
    )
    previous = queue[place - 1] if place else None
    rated_first = 0 if after is None else 1
    if work is not None and after is not None:
        previous, work = after, replace(work, rated=work.rated + 1, mine=work.mine + 1)
    elif work is not None:
        previous = work_queues.last_rated(request.user, work.queue, shown.request.id if shown else None)
    page = RatingPage(
        answer=shown,
        mine=mine,
        done=0 if work else rating_queue.rated_today(request.user) + rated_first,
        waiting=len(queue) - rated_first,
        previous=previous,
        next=queue[following] if following < len(queue) else None,
        money=request.user.has_perm(FIGURES),
        work=work,
    )
    return {
        "page": page,
        "turns": context_turns(turns(shown.prompt), request.GET.get("find", "")) if shown else [],
        "find": request.GET.get("find", "").strip(),
        "rendered": rendered(shown.text) if shown else None,
        "mine": mine,
        "blind": mine is not None and mine.pk in _my_ratings(request.user, [mine]).hidden,
        "rubric": rubric,
        "criteria": criterion_fields(rubric, typed.get("marks", {})),
        "comment": typed.get("comment", ""),
        "rated": None if shown else _my_ratings(request.user, rating_queue.ratings_of(request.user, None, BATCH)),
        "scale": SCALE,
        "passing_stars": Rating.PASSING_STARS,
        "applications": within if shown is None else None,
        "keep_s": int(entries.RESERVED.total_seconds()),
    }


def _answer_of(
    request: HttpRequest, work: Progress, within: list[int], at: uuid.UUID | None, after: uuid.UUID | None
) -> Answer | None:
    """The answer `at` of a queue if this person has it or rated it, else the next free one, reserved for them beside
    the one that it comes `after`."""
    if at is not None and work_queues.own_entry(request.user, work.queue, at) is not None:
        return rating_queue.answer(request.user, at, within)
    now = timezone.now()
    who: dict[str, Any] = {"queue": work.queue, "rater": request.user, "within": within}
    while entry := entries.reserve_next(**who, now=now, beside=after):
        if (shown := rating_queue.answer(request.user, entry.request_id, within)) is not None:
            return shown
        entries.text_is_gone(entry)
    return None


@get_view("traffic.add_rating")
def my_ratings(request: HttpRequest) -> HttpResponse:
    """What I rated, with the models that answered once today's batch has ended; each leads to its answer."""
    before = request.GET.get("before", "")
    rows = rating_queue.ratings_of(request.user, int(before) if before.isdecimal() and len(before) < 18 else None, PAGE)
    context = {
        "page": _my_ratings(request.user, rows, first=not before),
        "name_hidden": rating_queue.hides_name(request.user),
        "abstentions": [] if before else rating_queue.abstentions_of(request.user),
        "next_url": f"{request.path}?before={rows[-1].pk}" if len(rows) == PAGE else None,
        "first_url": request.path if before else None,
    }
    return render(request, "traffic/quality/my_ratings.html", context)


def _my_ratings(user: Person, rows: Sequence[Rating], *, first: bool = True) -> MyRatings:
    """Ratings as their person may see them: what waits, in queues or without, is rated blind."""
    today = rating_queue.rated_today(user)
    waiting = len(rating_queue.waiting(user, rateable(user))) or sum(work_queues.left_for(user).values())
    return MyRatings(rows, today, blind_since(today, waiting), first)


@post_view("traffic.add_rating")
def name_switch(request: HttpRequest) -> HttpResponse:
    """Hide my name from others, or show it."""
    hidden = request.POST.get("hide") == "1"
    ratings.set_name_hidden(current_user(request), hidden)
    sentence = _("Your name is hidden.") if hidden else _("Your name is shown.")
    record(Action.CHANGED, actor=person(request), object_type="traffic.raterpreference",
           object_id=current_user(request).pk, message=sentence)  # fmt: skip
    messages.success(request, sentence)
    return redirect("traffic:my-ratings")


@get_view("traffic.add_rating")
def my_ratings_export(request: HttpRequest) -> StreamingHttpResponse:
    """All that I rated, as JSON lines."""
    return _export(request.user)


@get_view("auth.change_user")
def person_ratings(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """All that a person rated, as JSON lines."""
    return _export(rating_queue.rater_of(pk))


def _export(rater: Person) -> StreamingHttpResponse:
    """Like every download it is recorded in the audit log. It names what `rater` may see, whoever reads it: an
    administrator often rates as well, and answers of the same batch wait for others too."""
    blind_since = _my_ratings(rater, []).blind_since
    headers = {"Content-Disposition": 'attachment; filename="ratings.jsonl"'}
    return StreamingHttpResponse(judged_by(rater, blind_since), content_type="application/x-ndjson", headers=headers)


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
    request: HttpRequest, rated: Request, judgement: Judgement, *, mine: Rating | None, back: str, blind: bool = False
) -> Rating:
    """Store a judgement, which replaces `mine`, and show a toast with an undo and the rating. `blind`: without the
    model that answered, since the next answer is likely to be of the same one; the page at the end of the queue and My
    ratings name it."""
    before = ratings.judgement_of(mine)
    if before and judgement.rubric_id is None:  # rated again where no criteria are shown
        judgement = replace(judgement, rubric_id=before["rubric_id"], marks=before["marks"])
    rating = ratings.rate(request=rated, judgement=judgement, rater=current_user(request))
    remembered = request.session.get(REMEMBERED, {})
    remembered[str(rating.pk)] = {"before": before, "back": back}
    request.session[REMEMBERED] = dict(list(remembered.items())[-UNDOABLE:])
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
    assert rating.day is not None and rating.request_id is not None, "people rate what has arrived"
    typed = {"comment": rating.comment, "marks": rating.marks}
    ratings.save_draft(day=rating.day, request_id=rating.request_id, rater=current_user(request), typed=typed)
    ratings.undo(rating=rating, before=entry.get("before"))
    messages.info(request, _("Your rating is undone."))
    back = entry.get("back", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return redirect(back if safe else reverse("traffic:rate"))
