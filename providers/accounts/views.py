"""Which accounts do we read, and does each answer?"""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from lib.http import form_data, form_view, get_view, post_view, render_tested, undoable
from providers.accounts import services
from providers.accounts.forms import AccountForm
from providers.accounts.freshness import account_now, worst_first
from providers.accounts.page import AccountPage, AccountsPage, KeyTest, gives
from providers.accounts.queries import account_or_404, accounts_now, removed_accounts
from providers.accounts.vendor_report import PERIODS, USUAL, reported
from providers.audit.log import changes, log, log_form
from providers.connectors import CONNECTORS, connector_class
from providers.models import Account, provider_name
from providers.polling.identity import Identified
from providers.polling.services import try_key, whose_key


@get_view("providers.view_account")
def accounts(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    rows = worst_first(accounts_now(now))
    context = {"page": AccountsPage(rows), "rows": rows, "now": now, "removed": removed_accounts()}
    return render(request, "providers/accounts/accounts.html", context)


@get_view("providers.add_account")
def choose(request: HttpRequest) -> HttpResponse:
    """Which vendor the new account is at, and what each can tell."""
    vendors = [
        {"kind": kind, "name": provider_name(kind), "gives": gives(kind), "key_help": connector_class(kind).key_help}
        for kind in CONNECTORS
    ]
    return render(request, "providers/accounts/account_choose.html", {"vendors": vendors, "kinds": len(vendors)})


@sensitive_post_parameters()
@form_view("providers.add_account")
def add(request: HttpRequest, kind: str) -> HttpResponse:
    if kind not in CONNECTORS:
        raise Http404(_("There is no connector for this vendor."))
    account = Account(kind=kind, name=provider_name(kind))
    return edited(request, account, AccountForm(form_data(request), instance=account, person=request.user))


@sensitive_post_parameters()
@form_view("providers.view_account")
def account(request: HttpRequest, slug: str) -> HttpResponse:
    """One account; whoever may change accounts gets the form, the others how its polls go."""
    row = account_or_404(slug)
    may_edit = request.user.has_perm("providers.change_account")
    if request.method == "POST" and not may_edit:
        return render(request, "403.html", status=403)
    if not may_edit or row.kind not in CONNECTORS:
        return shown(request, row, None)
    return edited(request, row, AccountForm(form_data(request), instance=row, person=request.user))


def edited(request: HttpRequest, account: Account, form: AccountForm) -> HttpResponse:
    """The form as it was sent: tested, saved, or shown again. A key is never in what goes back."""
    if request.method != "POST":
        return shown(request, account, form)
    good, added = form.is_valid(), account.pk is None
    action = request.POST.get("action", "save")
    if not good:
        return shown(request, account, form, status=422)
    filled = form.filled()
    if action == "test":
        return shown(request, account, form, tested(filled)[0])
    if added or form.needs_test:
        tried, vendor = tested(filled) if action == "save" and filled.enabled else untested(filled)
        if not tried.good:
            form.add_error("secret", tried.finding())
            return shown(request, account, form, tried, status=422)
        services.note_identity(account=filled, vendor=vendor)
    services.save_account(account=filled, intervals=form.intervals, now=timezone.now())
    log_form(request, filled, form, added=added)
    sentence = _("%(name)s is saved. Its first polls start within seconds.") if added else _("%(name)s is saved.")
    messages.success(request, sentence % {"name": filled.name})
    return redirect("providers:account", slug=filled.slug)


def untested(account: Account) -> tuple[KeyTest, Identified]:
    """Only whether another account of ours reads the same, as far as the vendor answers."""
    vendor = whose_key(account)
    return KeyTest(vendor.same is None, "", vendor.same), vendor


def tested(account: Account) -> tuple[KeyTest, Identified]:
    """What the vendor says to the account's key, and what it reports of itself."""
    good, sentence, vendor = try_key(account)
    other = bool(vendor.identity and account.identity) and not {*vendor.identity} & {*account.identity}
    return KeyTest(good and vendor.same is None, sentence, vendor.same, other), vendor


def shown(
    request: HttpRequest, account: Account, form: AccountForm | None, tried: KeyTest | None = None, status: int = 200
) -> HttpResponse:
    """The page of one account, or of one that is being added."""
    row = account_now(account, timezone.now()) if account.pk else None
    context = {
        "page": AccountPage(account, row),
        "account": account,
        "row": row,
        "reported": reported(account, timezone.now(), *reported_range(request)) if account.pk else None,
        "reported_days": PERIODS,
        "form": form,
        "tried": tried,
        "log": changes(account) if account.pk and request.user.has_perm("providers.change_account") else [],
        "may_edit": request.user.has_perm("providers.change_account"),
    }
    whole, part = "providers/accounts/account.html", "providers/accounts/_account_test.html"
    return render_tested(request, whole, part, context, status)


def reported_range(request: HttpRequest) -> tuple[int, str | None]:
    """Days and workspace as the address has them; what is none of ours is as if it was not asked for."""
    days, workspace = request.GET.get("days", ""), request.GET.get("workspace", "all")
    return int(days) if days in map(str, PERIODS) else USUAL, None if workspace == "all" else workspace[:200]


@post_view("providers.change_account")
def poll(request: HttpRequest, slug: str) -> HttpResponse:
    row = account_or_404(slug)
    if not row.enabled:
        messages.warning(request, _("%(name)s is disabled: enable it first.") % {"name": row.name})
    else:
        services.poll_soon(account=row, now=timezone.now())
        messages.success(request, _("%(name)s is read within seconds.") % {"name": row.name})
    return redirect("providers:account", slug=slug)


@post_view("providers.change_account")
def split(request: HttpRequest, slug: str) -> HttpResponse:
    """A key that changed hands becomes an account of its own."""
    row = account_or_404(slug)
    if not row.new_identity:
        return redirect("providers:account", slug=slug)
    new = services.split_account(account=row, now=timezone.now())
    log(request, row, _("Disabled without a key: the key belongs to another account."))
    log(request, new, _("Created from a key of another account."), added=True)
    messages.success(request, _("%(name)s is read as a new account, within seconds.") % {"name": new.name})
    return redirect("providers:account", slug=new.slug)


@post_view("providers.change_account")
def disable(request: HttpRequest, slug: str) -> HttpResponse:
    row = account_or_404(slug)
    services.disable_account(account=row)
    log(request, row, _("Disabled."))
    undoable(request, _("%(name)s is no longer read.") % {"name": row.name}, "providers:account-enable", slug)
    return redirect("providers:account", slug=slug)


@post_view("providers.change_account")
def enable(request: HttpRequest, slug: str) -> HttpResponse:
    row = account_or_404(slug)
    services.enable_account(account=row, now=timezone.now())
    log(request, row, _("Enabled."))
    messages.success(request, _("%(name)s is read again, within seconds.") % {"name": row.name})
    return redirect("providers:account", slug=slug)
