"""Headlines of the pages of export targets."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.models import ExportTarget
from lib.formats import ago


def list_headline(targets: Sequence[ExportTarget]) -> str:
    """How many exports are on, or which of them failed and for what reason."""
    if not targets:
        return _("No exports yet. FOCUS files can be downloaded below.")
    enabled = [target for target in targets if target.enabled]
    failed = [target for target in enabled if target.error]
    if failed:
        text = ngettext(
            "<b>One export failed</b>, {name}: {why}", "<b>{n} exports failed</b>, first {name}: {why}", len(failed)
        )
        return format_html(text, n=len(failed), name=failed[0].name, why=failed[0].error)
    text = ngettext(
        "<b>{n} of {all}</b> exports is on, and nothing has failed.",
        "<b>{n} of {all}</b> exports are on, and nothing has failed.",
        len(enabled),
    )
    return format_html(text, n=len(enabled), all=len(targets))


def headline(target: ExportTarget) -> str:
    """The result of the last run; for a target that is not saved yet, where it will write."""
    if not target.pk:
        if target.kind == ExportTarget.Kind.S3:
            return _("To a bucket of any S3-compatible store, as three FOCUS files a month.")
        return _("To a folder of this machine, as three FOCUS files a month.")
    if target.error:
        text = _("The last run, {ago}, <b>failed</b>: {why}")
        return format_html(text, ago=ago(target.tried_at), why=target.error)
    if target.succeeded_at is None:
        return _("It has not run yet.")
    text = ngettext("Last run: <b>one file</b>, {ago}.", "Last run: <b>{n} files</b>, {ago}.", target.files)
    return format_html(text, n=target.files, ago=ago(target.succeeded_at))


def form_heading(target: ExportTarget) -> str:
    if target.pk:
        return _("Target, schedule and format")
    return _("New bucket") if target.kind == ExportTarget.Kind.S3 else _("New folder")
