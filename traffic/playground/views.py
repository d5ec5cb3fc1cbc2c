"""Quality: the playground."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from lib.http import form_view, post_view
from providers.audit.log import log, person
from traffic.caps.page import cap_rows
from traffic.playground.forms import PlaygroundForm, one_newline
from traffic.playground.page import AnswerPage
from traffic.playground.queries import choices, row_of, spent
from traffic.playground.sending import Answer, Ask, NoPlace, pieces, place
from traffic.playground.services import Unusable, keep_pair, key

PERMISSION = "traffic.use_playground"
LINES = "application/x-ndjson"


class Lines(StreamingHttpResponse):
    """Whoever sends them calls `stop` when their reader has gone, so that they end though no piece comes."""

    def __init__(self, parts: Iterator[bytes], stop: Callable[[], None]) -> None:
        super().__init__(parts, content_type=LINES)
        self.stop = stop


@form_view(PERMISSION)
def playground(request: HttpRequest) -> HttpResponseBase:
    """The form, and after a send what came back: as lines for the page's script, else whole on the page."""
    form = PlaygroundForm(request.POST if request.method == "POST" else None, choices=choices())
    if request.method != "POST":
        return _page(request, form)
    if not form.is_valid():
        return _page(request, form, status=422)
    asks = form.asks()
    try:
        secret = key(person(request))
    except Unusable as error:
        form.add_error(None, str(error))
        return _page(request, form, status=422)
    if request.headers.get("accept") == LINES:
        side = 1 if request.POST.get("side") == "second" and len(asks) > 1 else 0
        answer = Answer()
        return Lines(lines(asks[side], secret, answer), answer.connection.end)
    with ThreadPoolExecutor(len(asks)) as pool:
        answers = list(pool.map(lambda ask: whole(ask, secret), asks))
    pages = [AnswerPage(ask, answer, _row(answer)) for ask, answer in zip(asks, answers, strict=True)]
    return _page(request, form, answers=pages)


def _page(request: HttpRequest, form: PlaygroundForm, *, status: int = 200, **more: Any) -> HttpResponse:
    if (use := spent(timezone.now())) is not None:
        more |= {"use": use, "caps": cap_rows(use.caps)}
    return render(request, "traffic/playground/playground.html", {"form": form, **more}, status=status)


def whole(ask: Ask, secret: str) -> Answer:
    """An answer without its pieces."""
    answer = Answer()
    try:
        with place():
            for _piece in pieces(ask, secret, answer):
                pass
    except NoPlace:
        answer.problem = _busy()
    return answer


def lines(ask: Ask, secret: str, answer: Answer) -> Iterator[bytes]:
    """The answer as lines of JSON: its pieces as they come, then what is known of it."""
    try:
        with place():
            for piece in pieces(ask, secret, answer):
                yield _line({piece.kind: piece.text, "ttft_ms": answer.ttft_ms})
    except NoPlace:
        answer.problem = _busy()
    page = AnswerPage(ask, answer, _row(answer))
    end = {"figures": page.figures(), "url": page.url, "token": page.token, "problem": answer.problem}
    yield _line({"end": end})


def _line(value: Any) -> bytes:
    return msgspec.json.encode(value, enc_hook=str) + b"\n"


def _row(answer: Answer) -> Any:
    return None if answer.request is None else row_of(answer.request)


def _busy() -> str:
    return _("Too many answers are under way. Try again in a moment.")


@post_view(PERMISSION)
def playground_keep(request: HttpRequest) -> HttpResponse:
    """Keep two answers as a pair for raters."""
    try:
        prompt = one_newline(request.POST.get("prompt", ""))
        pair = keep_pair(request.POST.getlist("token")[:2], prompt, person(request))
    except Unusable as error:
        messages.error(request, str(error))
    else:
        log(request, pair, _("Pair of the playground kept for rating."))
        messages.success(request, _("The pair is kept. Raters of the playground see it without names."))
    return redirect("traffic:playground")
