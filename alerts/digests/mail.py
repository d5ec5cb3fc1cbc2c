"""A digest or a statement as an e-mail, and as the preview of it: the same bodies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import get_template
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.charts.chart import Chart
from alerts.charts.picture import png
from alerts.charts.timeline import Point, decimal_of
from alerts.digests.content import digest, statement_path
from alerts.digests.periods import Period
from alerts.mail import links
from alerts.mail.subjects import subject
from alerts.models import Delivery, Report, ReportKind
from alerts.wording import exact, facts_of, meaning, moment, money_day
from costs.ledger.posting import state_of_days
from costs.statements.queries import Statement, Statements, statements
from lib.formats import known_part


def words_of(kind: str, period: Period, now: datetime) -> dict[str, Any]:
    """What a report says, as JSON, in the language that is active."""
    if kind == ReportKind.STATEMENT:
        return statement_words(period, stated(period, now))
    return digest(kind, period, now.astimezone(UTC).date())


def stated(period: Period, now: datetime) -> Statements:
    return statements(period.since, "application", now.date())


def statement_words(period: Period, statements: Statements) -> dict[str, Any]:
    month = date_format(period.since, "F Y")
    state = state_of(statements)
    facts = [
        [statement.name, statement.total_words, requests_of(statement), *unallocated(period, statements, statement)]
        for statement in statements.statements
    ]
    most = 12
    rest = sum((statement.total for statement in statements.statements[most:]), Decimal(0))
    others = [[_("and %(n)s more") % {"n": len(facts) - most}, exact(rest), ""]] if len(facts) > most else []
    spend = meaning("spend", statements.total, period.since)
    total = [_("Total"), statements.total_words, _("matches the ledger"), *spend]
    values = {
        "state": _("Final") if statements.final else _("Not final"),
        "month": month,
        "total": statements.total_words,
        # Plain letters: a subject that has to be encoded begins with a blank in some programs.
        "plain": known_part(exact(statements.total), bool(statements.unpriced)),
    }
    return {
        "subject": _("%(state)s: %(month)s cost %(plain)s") % values,
        "heading": _("%(month)s cost %(total)s") % values,
        "verdict": values["state"],
        "tone": "ok" if statements.final else "us",
        "todo": _("File the attached statement.")
        if statements.final
        else _("Check it. Missing costs can still be entered."),
        "detail": state,
        "items": [],
        "facts": [*facts[:most], *others, total],
        "ledger": [f"{period.since}", f"{period.until}", state_of_days(period.since, period.until)],
        "drivers": [],
        "points": [],
        "page": statement_path(period),
    }


def unallocated(period: Period, statements: Statements, statement: Statement) -> list[str]:
    """What marks the total of what is charged to nobody."""
    by = statements.by
    return [] if statement.has_name else meaning("unallocated", statement.total, period.since, by)


def requests_of(statement: Statement) -> str:
    if not statement.has_name:
        return _("unallocated")
    return ngettext("%(n)s request", "%(n)s requests", statement.requests) % {"n": f"{statement.requests:,}"}


def state_of(statements: Statements) -> str:
    day = date_format(statements.final_on, "j F Y")
    if statements.final:
        return _("Final: vendors no longer revise it.")
    return _("Vendors may revise it until %(day)s. The page then shows the final figures.") % {"day": day}


def message(delivery: Delivery) -> EmailMultiAlternatives:
    """In the language and zone that are active; raises nothing that another message would not."""
    report = delivery.report
    assert report is not None
    words, file = report.words, None
    if report.kind == ReportKind.STATEMENT:  # both as the ledger is now, so that mail and file never differ
        period = Period(report.starts_on, report.ends_on)
        statements = stated(period, report.created_at)
        words, file = statement_words(period, statements), file_of(period, statements, report.created_at)
    context = context_of(report.kind, words, report.created_at, cid=f"chart.{delivery.message_id.strip('<>')}")
    context["unsubscribe_url"] = links.unsubscribe_url(delivery)
    chart: Chart | None = context["chart"]
    text, html = bodies(context)
    mail = EmailMultiAlternatives(
        subject=context["subject"],
        body=text,
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[delivery.recipient],
        headers=headers_of(delivery, report, context["unsubscribe_url"]),
    )
    mail.attach_alternative(html, "text/html")
    if chart:
        mail.mixed_subtype = "related"  # type: ignore[attr-defined]  # no stub knows it
        mail.attach(chart.part)
    if file:
        mail.attach(*file)
    return mail


def headers_of(delivery: Delivery, report: Report, unsubscribe_url: str) -> dict[str, str]:
    """`unsubscribe_url` is the link of the body: a link made anew in another second would be another one."""
    return {
        "Message-ID": delivery.message_id,
        "Date": format_datetime(delivery.created_at),
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": f"<{unsubscribe_url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Id": f"Breakeven {report.kind} <{report.kind}.reports.{links.host()}>",
    }


def file_of(period: Period, statements: Statements, at: datetime) -> tuple[str, bytes, str]:
    from costs.statements.pdf import pdf  # the library is large, and most processes never need it

    return f"statement-{period.since:%Y-%m}.pdf", pdf(statements, statements.statements, at), "application/pdf"


def context_of(kind: str, words: dict[str, Any], at: datetime, cid: str) -> dict[str, Any]:
    """What both templates need; every address is absolute."""
    is_statement = kind == ReportKind.STATEMENT
    return {
        **words,
        "subject": subject(words["subject"]),
        # A digest keeps what it said; bills that come later change the pages and the statement, and not it.
        "at": moment(at) if is_statement else _("figures as of %(at)s") % {"at": moment(at)},
        "facts": facts_of(words["facts"]),
        **{
            name: [{"title": title, "detail": detail, "url": links.absolute(path)} for title, detail, path in rows]
            for name, rows in (
                ("items", words["items"]),
                ("views", words.get("views", [])),
                ("ratings", words.get("ratings", [])),
            )
        },
        "unnamed": [{"title": title, "url": links.absolute(path)} for title, path in words.get("unnamed", [])],
        "driven": _("Highest costs"),
        "chart": chart_of(words, cid),
        "page_label": _("See every line") if is_statement else _("See the plan"),
        "page_name": _("Every line:") if is_statement else _("The plan:"),
        "why": _("You receive this once a month, with the statement attached.")
        if is_statement
        else _("You receive this because of your preferences. Days are UTC, as vendors bill."),
        "page_url": links.absolute(words["page"]),
        "preferences_url": links.absolute(reverse("alerts:preferences")),
        "unsubscribe_url": links.absolute(reverse("alerts:preferences")),
        "demo": settings.DEMO,
    }


def chart_of(words: dict[str, Any], cid: str) -> Chart | None:
    """The month so far against its plan."""
    points = [
        Point(datetime.fromisoformat(at), Decimal(amount), decimal_of(line)) for at, amount, line in words["points"]
    ]
    if not points:
        return None
    last = points[-1]
    ends = last.at - timedelta(microseconds=1)  # each point is what the day before its midnight added
    spent = known_part(exact(last.value), words.get("at_least"))
    values = {"spent": spent, "since": money_day(points[0].at), "until": money_day(ends)}
    plan = exact(last.line) if last.line is not None else ""
    alt = _("From %(since)s to %(until)s the month cost %(spent)s.") % values
    return Chart(
        cid=cid,
        image=png(points),
        alt=f"{alt} {_('Its plan is %(plan)s.') % {'plan': plan}}" if plan else alt,
        value=(_("whole month %(spent)s") if last.at.day == 1 else _("month to date %(spent)s")) % values,
        line=_("plan %(plan)s") % {"plan": plan} if plan else "",
        since=values["since"],
        until=values["until"],
    )


def bodies(context: dict[str, Any]) -> tuple[str, str]:
    """Text and HTML."""
    text, html = (get_template(f"alerts/email/report.{kind}").render(context) for kind in ("txt", "html"))
    return text + "", html  # a plain string: pages must escape it, which they would not what a template wrote
