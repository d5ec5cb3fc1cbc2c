"""Pages for signing in and out, for the password asked again, and for a new password."""

from __future__ import annotations

import secrets
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login as begin_session
from django.contrib.auth import logout as end_session
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.contrib.auth.views import LoginView, PasswordResetConfirmView
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from alerts.mail.server import has_mail_server
from dashboard.signin import services, sessions
from dashboard.signin.backend import device_of, remember_device
from dashboard.signin.browsers import browser_of
from dashboard.signin.forms import AskForLinkForm, ConfirmForm, OwnPasswordForm, Refusal, SignInForm
from dashboard.signin.hashing import Busy
from dashboard.signin.throttle import Throttled
from lib.http import form_view, get_view, post_view
from providers.audit.counts import Kind, counts
from providers.audit.log import Action, person, record, stranger


def refused(response: HttpResponse, refusal: Refusal | None) -> HttpResponse:
    """Set status and Retry-After: 429 in a back-off, 503 if too many hash at once; unchanged without a refusal."""
    if refusal is not None:
        response.status_code = 503 if isinstance(refusal, Busy) else 429
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


class SignIn(LoginView):
    """The sign-in page; a person who is signed in already is redirected."""

    form_class = SignInForm
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "reset_by_mail": has_mail_server()}

    def form_valid(self, form: Any) -> HttpResponse:
        user: User = form.get_user()
        mark = device_of(self.request, user.get_username()) or secrets.token_urlsafe(16)
        begin_session(self.request, user)
        record(Action.LOGIN, actor=person(self.request), thing=user)
        response = redirect(self.get_success_url())
        remember_device(response, user.get_username(), mark)
        return response

    def form_invalid(self, form: Any) -> HttpResponse:
        return refused(super().form_invalid(form), form.refusal)


sign_in = SignIn.as_view()


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        record(Action.LOGOUT, actor=person(request), thing=request.user)
    end_session(request)
    return redirect("login")


@sensitive_post_parameters()
@never_cache
@form_view()
def confirm(request: HttpRequest) -> HttpResponse:
    """Ask for the password before keys, roles and people are changed, then go back to that page."""
    back = request.POST.get("next") or request.GET.get("next", "/")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = "/"
    form = ConfirmForm(request.POST if request.method == "POST" else None, request=request)
    if request.method == "POST" and form.is_valid():
        sessions.confirm(request)
        return redirect(back)
    context = {"form": form, "next": back}
    return refused(
        render(request, "registration/confirm.html", context, status=422 if form.errors else 200), form.refusal
    )


@sensitive_post_parameters()
@never_cache
@form_view()
def password(request: HttpRequest) -> HttpResponse:
    """Set one's own new password; one's other sessions end."""
    form = OwnPasswordForm(request.user, request.POST if request.method == "POST" else None, request=request)
    if request.method == "POST" and form.is_valid():
        user = services.set_own_password(form=form)
        update_session_auth_hash(request, user)
        assert user.pk is not None, "whoever is logged in is stored"
        sessions.end(user.pk, but=request.session.session_key or "")
        record(Action.PASSWORD, actor=person(request), thing=user)
        messages.success(request, _("Password changed. Your other sessions have ended."))
        return redirect("account")
    answer = render(
        request, "registration/password_change_form.html", {"form": form}, status=422 if form.errors else 200
    )
    return refused(answer, form.refusal)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def forgotten(request: HttpRequest) -> HttpResponse:
    """Send a link for a new password by mail. Neither the answer nor its time tells whether the address is known."""
    form = AskForLinkForm(request.POST if request.method == "POST" else None)
    sent = False
    if request.method == "POST" and has_mail_server() and form.is_valid():
        try:
            services.ask_by_mail(request, form.cleaned_data["email"])
        except Throttled as refusal:
            form.add_error("email", _("Too many links were asked for: try again in %(n)s seconds.") % {
                "n": refusal.retry_after})  # fmt: skip
            context = {"form": form, "by_mail": True, "answer": forgotten_sentence(sent=False)}
            answer = render(request, "registration/forgotten.html", context, status=429)
            answer.headers["Retry-After"] = str(refusal.retry_after)
            return answer
        sent = True
    context = {"form": form, "sent": sent, "by_mail": has_mail_server(), "answer": forgotten_sentence(sent=sent)}
    return render(request, "registration/forgotten.html", context, status=422 if form.errors else 200)


def forgotten_sentence(*, sent: bool) -> str:
    """Say how somebody without a password gets in again; `sent` is whether they have asked for a link."""
    if sent:
        return _("If an account has that address, a link is sent to it.")
    if has_mail_server():
        return _("Enter your e-mail address, and a link for a new password is sent to it.")
    return _("This installation sends no mail: ask an admin for a link, under Set up, Users and roles.")


class NewPassword(PasswordResetConfirmView):
    """The page of a one-time link: sets a new password, then leads to the sign-in."""

    template_name = "registration/new_password.html"
    success_url = reverse_lazy("login")
    token_generator = default_token_generator

    def dispatch(self, *args: Any, **kwargs: Any) -> HttpResponseBase:
        answer = super().dispatch(*args, **kwargs)
        if answer.status_code == 200 and not self.validlink:
            counts.add(Kind(Action.REFUSED, stranger(self.request), object_name="link for a new password"))
            answer.status_code = 410
        return answer

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        user: User = self.user  # type: ignore[assignment]  # the link was valid
        assert user.pk is not None, "the link named a stored person"
        sessions.end(user.pk)
        record(
            Action.PASSWORD, actor=stranger(self.request, user.get_username()), thing=user, message="by a one-time link"
        )
        return response


new_password = NewPassword.as_view()


@get_view()
def account(request: HttpRequest) -> HttpResponse:
    """One's own account and sessions."""
    rows = sessions.sessions_of(me(request))
    here = request.session.session_key
    context = {
        "rows": [
            {"it": row, "mark": sessions.mark(row), "here": row.session_key == here, "browser": browser_of(row.agent)}
            for row in rows
        ],
        "idle_hours": settings.SESSION_IDLE_S // 3_600,
        "longest_days": settings.SESSION_COOKIE_AGE // 86_400,
        "others": sum(row.session_key != here for row in rows),
    }
    return render(request, "dashboard/signin/account.html", context)


@post_view()
def account_end(request: HttpRequest) -> HttpResponse:
    """End one of one's own sessions, or all but this one."""
    only, here = request.POST.get("session", ""), request.session.session_key or ""
    ended = sessions.end(me(request), but=here, only=only)
    if ended:
        record(
            Action.SESSION, actor=person(request), thing=own(request), message=_("%(n)s of their own") % {"n": ended}
        )
        messages.success(request, _("Session ended. Its browser has to sign in again."))
    else:
        messages.warning(request, _("Nothing was changed: that session has ended, or is this one."))
    return redirect("account")


def own(request: HttpRequest) -> User:
    """The signed-in person; all views that use it require a login."""
    return cast(User, request.user)


def me(request: HttpRequest) -> int:
    return int(own(request).pk)
