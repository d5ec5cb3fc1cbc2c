"""What goes with this account, and shall it go?"""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.account_removal import services
from costs.account_removal.page import NameForm, RemovalPage
from lib.formats import dollars
from lib.http import form_data, form_view, post_view, undoable
from providers.accounts.queries import account_or_404
from providers.audit.log import log


@form_view("providers.change_account")
def remove(request: HttpRequest, slug: str) -> HttpResponse:
    account = account_or_404(slug)
    page = RemovalPage(account, services.brought(account))
    form = NameForm(form_data(request), account=account)
    if request.method != "POST" or not form.is_valid():
        context = {"page": page, "account": account, "form": form}
        return render(request, "costs/account_removal/remove.html", context, status=422 if form.is_bound else 200)
    removed = services.remove(account=account, now=timezone.now())
    log(
        request,
        account,
        _("Removed with its data: %(sum)s billed.") % {"sum": dollars(page.billed)},
        deleted=True,
    )
    sentence = _("%(name)s and its data are removed.") % {"name": account.name}
    undoable(request, sentence, "costs:account-restore", removed.pk)
    return redirect("providers:accounts")


@post_view("providers.change_account")
def restore(request: HttpRequest, pk: int) -> HttpResponse:
    removed = services.removed_or_404(pk)
    account = services.restore(removed=removed)
    if account is None:
        text = _("%(name)s cannot be restored. Another account now has its name or its data.")
        messages.error(request, text % {"name": removed.name})
        return redirect("providers:accounts")
    log(request, account, _("Restored with its data."), added=True)
    messages.success(request, _("%(name)s and its data are restored.") % {"name": account.name})
    return redirect("providers:account", slug=account.slug)
