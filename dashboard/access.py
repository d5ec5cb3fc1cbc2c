"""Who may open which address: declared once for each URL name; a test compares it with what every view really allows.

Views check permissions, which `dashboard.people.roles` gives to the roles staff, manager, ops and admin; this table is
the expected result. A scope is what a key of the API must have. An address that is not declared fails the tests.

A key of an application may reach that application only: `key` says what it gets at an address. This is enforced before
the view runs (`dashboard.http.confinement`, `traffic.authentication.access`). Without a `key` the address is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Role = Literal["staff", "manager", "ops", "admin"]
Scope = Literal["ingest", "read", "gateway", "rate", "alerts", "trials"]
KeyReach = Literal["own", "public", "refused"]

ALL: tuple[Role, ...] = ("staff", "manager", "ops", "admin")
FIGURES: tuple[Role, ...] = ("manager", "ops", "admin")
PLANNERS: tuple[Role, ...] = ("manager", "admin")
OPS: tuple[Role, ...] = ("ops", "admin")
ADMIN: tuple[Role, ...] = ("admin",)


@dataclass(frozen=True, slots=True)
class Access:
    """`reads` may GET, `writes` may POST; None if the method does not exist.

    `open`: strangers may too. `scope`: the scope that a key must have; people with a session need one of the roles.
    `theirs`: those of the roles that get 404 for objects of others.
    `key`: what an application's key gets: the application's own data (`own`), data that belongs to nobody (`public`),
    or 403 with the sentence `why` (`refused`); None is a 403 without a sentence. `withheld`: parameters that it may not
    use. `confirm`: the password is asked again before a POST (`post`), or before the page with the form too (`all`).
    """

    reads: tuple[Role, ...] | None = None
    writes: tuple[Role, ...] | None = None
    open: bool = False
    scope: Scope | None = None
    theirs: tuple[Role, ...] = ()
    key: KeyReach | None = None
    why: str = ""
    withheld: tuple[str, ...] = ()
    confirm: Literal["", "post", "all"] = ""


def page(who: tuple[Role, ...]) -> Access:
    """A page that only reads."""
    return Access(reads=who)


def form(who: tuple[Role, ...], readers: tuple[Role, ...] | None = None) -> Access:
    """A page with a form; `readers` may open it but not send it."""
    return Access(reads=readers or who, writes=who)


def action(who: tuple[Role, ...], theirs: tuple[Role, ...] = ()) -> Access:
    """An address that takes only POST."""
    return Access(writes=who, theirs=theirs)


def guarded(access: Access, confirm: Literal["post", "all"] = "post") -> Access:
    """The same access with `confirm`, for addresses that change keys, roles or people."""
    return replace(access, confirm=confirm)


ANYONE = Access(reads=ALL, open=True)
ANYONE_PINGS = Access(reads=ALL, writes=ALL, open=True)
ANYONE_SENDS = Access(writes=ALL, open=True)
# Reads of the API: with a key that has the scope, or by a person who follows a page's link to its JSON.
JSON = Access(scope="read", reads=FIGURES, key="own")
MARKET_JSON = Access(scope="read", reads=FIGURES, key="public")  # holds nothing of anybody's


# People without the right to see figures see the costs of applications that they own, and nothing else.
OWNERS_PAGE = Access(reads=ALL, theirs=("staff",))


def whole(why: str, access: Access = JSON) -> Access:
    """An address without a meaning for a single application; `why` is the sentence with which its key is refused."""
    return replace(access, key="refused", why=f"{why} Ask with a key that belongs to no application.")


def posts(scope: Scope) -> Access:
    """An address to which programs send data, with a key only."""
    return Access(scope=scope, writes=(), key="own")


PLAN = "The plan and its phases are of the whole installation."
SELF_HOSTING = "Whether self-hosting pays is asked of the traffic of the whole installation."
BILLS = "Vendors bill the whole installation."
MACHINES = "Deployments and leases serve the whole installation."
SETS = "Sets of answers have texts of the whole installation."
TRIALS = "Trials measure deployments, which serve the whole installation."
PEOPLE = "A key of an application acts for no person, so it can neither assign an alert nor delete a note."


ACCESS: dict[str, Access] = {
    # the project itself; staff are led from the Overview to Quality
    "overview": page(ALL),
    "settings": page(ALL),
    "checklist-hide": action(OPS),
    "checklist-show": action(OPS),
    "health": page(FIGURES),
    "storage": form(ADMIN, readers=FIGURES),
    "storage-unstored": page(ADMIN),
    "find": page(ALL),
    "saved-views": form(ALL),
    "saved-view": Access(reads=ALL, writes=ALL, theirs=ALL),
    "saved-view-delete": action(ALL, theirs=ALL),
    "saved-view-undo": action(ALL, theirs=ALL),
    "legend": page(ALL),
    "help": page(ALL),
    "help-api": page(ALL),
    "help-page": page(ALL),
    "theme": ANYONE_SENDS,
    "reference": ANYONE_SENDS,
    "login": Access(reads=ALL, writes=ALL, open=True),
    "logout": ANYONE_SENDS,
    "password_change": form(ALL),
    "confirm": form(ALL),
    "forgotten": Access(reads=ALL, writes=ALL, open=True),
    "new-password": Access(reads=ALL, writes=ALL, open=True),
    "account": page(ALL),
    "account-end": action(ALL),
    "people": page(ADMIN),
    "person-add": guarded(form(ADMIN), "all"),
    "person": guarded(form(ADMIN), "all"),
    "person-switch": guarded(action(ADMIN)),
    "person-link": guarded(action(ADMIN)),
    "person-sessions": guarded(action(ADMIN)),
    "role": guarded(form(ADMIN), "all"),
    "audit": page(ADMIN),
    "audit-export": page(ADMIN),
    "healthz": ANYONE,
    "readyz": ANYONE,
    "metrics": Access(scope="read", reads=(), key="own"),
    # providers
    "providers:providers": page(FIGURES),
    "providers:offers": page(FIGURES),
    "providers:offer-watches": page(FIGURES),
    "providers:offer-watch-add": form(OPS),
    "providers:offer-watch": form(OPS, readers=FIGURES),
    "providers:offer-watch-delete": action(OPS),
    "providers:offer-watch-undo": action(OPS),
    "providers:leases": page(FIGURES),
    "providers:lease-idle": action(OPS),
    "providers:lease-stop": form(OPS),
    "providers:uptime": page(FIGURES),
    "providers:outage": form(OPS, readers=FIGURES),
    "providers:heartbeats": page(FIGURES),
    "providers:heartbeat-add": form(OPS),
    "providers:heartbeat-undo": action(OPS),
    "providers:heartbeat": form(OPS, readers=FIGURES),
    "providers:heartbeat-pause": action(OPS),
    "providers:heartbeat-resume": action(OPS),
    "providers:heartbeat-delete": action(OPS),
    "providers:status-pages": page(FIGURES),
    "providers:status-page-add": form(OPS),
    "providers:status-page-undo": action(OPS),
    "providers:status-page": form(OPS),
    "providers:status-preview": page(FIGURES),
    "providers:status-page-delete": action(OPS),
    # what a status page shows strangers, and where batch jobs ping: the address is the secret
    "providers:status": ANYONE,
    "providers:status-badge": ANYONE,
    "providers:status-json": ANYONE,
    "providers:ping": ANYONE_PINGS,
    "providers:ping-signal": ANYONE_PINGS,
    "providers:accounts": page(FIGURES),
    "providers:account-add": page(OPS),
    "providers:account-add-kind": form(OPS),
    "providers:account": form(OPS, readers=FIGURES),
    "providers:account-poll": action(OPS),
    "providers:account-split": action(OPS),
    "providers:account-disable": action(OPS),
    "providers:account-enable": action(OPS),
    "providers:deployments": page(FIGURES),
    "providers:deployment-add": form(OPS),
    "providers:deployment": form(OPS, readers=FIGURES),
    "providers:deployment-disable": action(OPS),
    "providers:deployment-enable": action(OPS),
    "providers:maintenance": page(FIGURES),
    "providers:maintenance-end": action(OPS),
    # traffic: a request is seen by whoever sees all figures and by the people of its application
    "traffic:requests": page(ALL),
    "traffic:requests-export": page(ALL),
    "traffic:latency": page(ALL),
    "traffic:request": Access(reads=ALL, theirs=("staff",)),
    **{f"traffic:request-{name}": action(ALL, theirs=("staff",)) for name in ("rate", "link")},
    "traffic:request-gold": action(PLANNERS),
    "traffic:feedback-link": Access(reads=ALL, writes=ALL, open=True),  # signed, and works once
    "traffic:quality": page(ALL),
    "traffic:rate": form(ALL),
    **{f"traffic:{name}-undo": action(ALL, theirs=ALL) for name in ("abstention", "choice", "rating", "skip")},
    **{f"traffic:{name}": action(ALL) for name in ("rate-draft", "rater-name")},
    **{f"traffic:{name}": page(ALL) for name in ("my-ratings", "my-ratings-export", "queues", "rubrics")},
    **{f"traffic:{name}": form(PLANNERS) for name in ("queue-add", "rubric", "rubric-add")},
    **{f"traffic:{name}": action(PLANNERS) for name in ("queue-fill", "queue-switch", "rubric-delete", "rubric-undo")},
    "traffic:queue": page(PLANNERS),
    "traffic:person-ratings": page(ADMIN),
    "traffic:compare": form(ALL),
    "traffic:comparisons": page(ALL),
    "traffic:pair": Access(reads=PLANNERS, theirs=("manager",)),
    "traffic:pair-decide": action(PLANNERS, theirs=("manager",)),
    "traffic:playground": form(FIGURES),
    "traffic:playground-keep": action(FIGURES),
    "traffic:trials": page(FIGURES),
    "traffic:trial-add": form(OPS),
    "traffic:judges": form(OPS, readers=FIGURES),
    "traffic:sets": form(OPS),
    "traffic:set": page(OPS),
    "traffic:set-file": page(OPS),
    "traffic:set-delete": action(OPS),
    "traffic:trial-stop": action(OPS),
    "traffic:trial-switch": action(OPS),
    "costs:scoreboard": page(FIGURES),
    "costs:trial": page(FIGURES),
    "costs:trial-pdf": page(FIGURES),
    "traffic:applications": page(FIGURES),
    **{f"traffic:{name}": form(ADMIN) for name in ("application-add", "application-erase", "erasures")},
    "traffic:application": form(ADMIN, readers=FIGURES),
    "traffic:application-try": action(FIGURES),
    "traffic:application-cache-purge": action(ADMIN),
    "traffic:erasure": page(ADMIN),
    "traffic:keys": page(ADMIN),
    "traffic:key-add": guarded(form(ADMIN), "all"),
    "traffic:key": guarded(form(ADMIN)),
    "traffic:key-first": page(ADMIN),
    "traffic:send-requests": page(ALL),
    "traffic:key-rotate": guarded(action(ADMIN)),
    "traffic:key-revoke": guarded(action(ADMIN)),
    "traffic:caps": guarded(form(ADMIN)),
    "traffic:key-cap-add": guarded(form(ADMIN)),
    "traffic:application-cap-add": form(ADMIN),
    "traffic:cap-delete": guarded(action(ADMIN)),
    "traffic:imports": form(OPS, readers=FIGURES),
    "traffic:import": form(OPS, readers=FIGURES),
    "traffic:import-errors": page(FIGURES),
    "traffic:import-do": action(OPS),
    "traffic:prices": page(FIGURES),
    "traffic:price-add": form(OPS),
    "traffic:price-undo": action(OPS),
    "traffic:unit-prices": form(OPS, readers=FIGURES),
    "traffic:unit-price-undo": action(OPS),
    "traffic:discounts": form(OPS, readers=FIGURES),
    "traffic:discount-do": action(OPS),
    "traffic:repricings": form(OPS, readers=FIGURES),
    "traffic:repricing": page(FIGURES),
    "traffic:repricing-do": action(OPS),
    "traffic:routes": page(FIGURES),
    "traffic:route": form(OPS),
    "traffic:route-try": page(FIGURES),
    "traffic:route-add": form(OPS),
    "traffic:route-undo": action(OPS),
    "traffic:route-delete": action(OPS),
    "traffic:route-switch": action(OPS),
    "traffic:route-move": action(OPS),
    "otlp_traces": posts("ingest"),
    "otlp_langfuse": posts("ingest"),
    "otlp_metrics": posts("ingest"),
    "otlp_logs": posts("ingest"),
    "litellm": posts("ingest"),
    # costs
    "costs:spend": page(FIGURES),
    "costs:changes": page(FIGURES),
    "costs:units": page(FIGURES),
    "costs:unit-users": page(FIGURES),
    "costs:anomalies": page(FIGURES),
    "costs:anomaly-dismiss": action(FIGURES),
    "costs:anomaly-restore": action(FIGURES),
    "costs:charges": page(FIGURES),
    "costs:charge-add": form(PLANNERS),
    "costs:charge": form(PLANNERS),
    "costs:charge-delete": action(PLANNERS),
    "costs:charge-undo": action(PLANNERS),
    "costs:account-remove": form(OPS),
    "costs:account-restore": action(OPS),
    "costs:lease": page(FIGURES),
    "costs:charge-correct": form(PLANNERS),
    "costs:recurrences": page(FIGURES),
    "costs:recurrence": form(PLANNERS),
    "costs:recurrence-undo": action(PLANNERS),
    "costs:recurrence-stop": action(PLANNERS),
    "costs:recurrence-resume": action(PLANNERS),
    "costs:receipt": page(FIGURES),
    "costs:rates": form(PLANNERS, readers=FIGURES),
    "costs:sharing": form(PLANNERS, readers=FIGURES),
    "costs:savings": page(FIGURES),
    "costs:saving-accept": action(PLANNERS),
    "costs:saving-dismiss": form(PLANNERS),
    "costs:saving-undo": action(PLANNERS),
    "costs:bills": form(PLANNERS, readers=FIGURES),
    "costs:bill": page(FIGURES),
    "costs:bill-enter": action(PLANNERS),
    "costs:bill-undo": action(PLANNERS),
    "costs:exports": page(FIGURES),
    "costs:export-add": form(OPS),
    "costs:export": form(OPS),
    "costs:export-run": action(OPS),
    "costs:export-switch": action(OPS),
    "costs:export-delete": action(OPS),
    "costs:export-undo": action(OPS),
    "costs:ledger": page(FIGURES),
    "costs:reconciliation": page(FIGURES),
    "costs:reconciliation-close": form(PLANNERS),
    "costs:reconciliation-key": action(PLANNERS),
    "costs:reconciliation-reopen": action(PLANNERS),
    "costs:reconciliation-correct": form(PLANNERS),
    "costs:reconciliation-tolerance": form(PLANNERS),
    "costs:statements": page(ALL),
    "costs:statements-csv": OWNERS_PAGE,
    "costs:statement": OWNERS_PAGE,
    "costs:statement-csv": OWNERS_PAGE,
    "costs:statements-pdf": OWNERS_PAGE,
    "costs:statement-pdf": OWNERS_PAGE,
    "costs:plan": page(FIGURES),
    "costs:add-phase": form(PLANNERS),
    "costs:phase": form(PLANNERS),
    "costs:start-phase": action(PLANNERS),
    "costs:remove-phase": action(PLANNERS),
    "costs:add-stage": form(PLANNERS),
    "costs:stage": form(PLANNERS),
    "costs:remove-stage": action(PLANNERS),
    "costs:application-budgets": page(FIGURES),
    "costs:add-budget": form(PLANNERS),
    "costs:budget": form(PLANNERS),
    "costs:remove-budget": action(PLANNERS),
    "costs:copy-plan": form(PLANNERS),
    "costs:research-plan": form(PLANNERS),
    "costs:undo-plan": action(PLANNERS),
    "costs:break-even": page(FIGURES),
    "costs:break-even-json": page(FIGURES),
    "costs:scenarios": page(FIGURES),
    "costs:research": page(FIGURES),
    "costs:kept": page(FIGURES),
    "costs:keep": action(PLANNERS),
    "costs:task-model": form(PLANNERS),
    "costs:task-model-log": action(PLANNERS),
    "costs:kept-remove": action(PLANNERS),
    "costs:kept-undo": action(PLANNERS),
    "costs:decide": page(FIGURES),
    "costs:forbid": action(PLANNERS),
    "costs:withdraw-no-go": action(PLANNERS),
    "costs:justify": action(PLANNERS),
    "costs:withdraw-switch": action(PLANNERS),
    "costs:sign-decision": action(PLANNERS),
    "costs:decision": page(FIGURES),
    "costs:enter-effort": action(PLANNERS),
    "costs:withdraw-effort": action(PLANNERS),
    "costs:burden-limits": action(PLANNERS),
    "costs:sizing": page(FIGURES),
    # alerts: a mail's links act without a login, by a signed token
    "alerts:list": page(FIGURES),
    "alerts:history": page(FIGURES),
    "alerts:rules": page(FIGURES),
    "alerts:rule": form(OPS, readers=FIGURES),
    "alerts:rule-new": form(OPS),
    "alerts:rule-switch": action(OPS),
    "alerts:rule-delete": action(OPS),
    "alerts:rule-restore": action(OPS),
    "alerts:channels": page(FIGURES),
    "alerts:channel-add": form(OPS),
    "alerts:channel": form(OPS, readers=FIGURES),
    "alerts:channel-switch": action(OPS),
    "alerts:channel-delete": action(OPS),
    "alerts:channel-undo": action(OPS),
    "alerts:deliveries": page(FIGURES),
    "alerts:preferences": form(ALL),
    "alerts:digest": page(FIGURES),
    "alerts:digest-html": page(FIGURES),
    "alerts:detail": page(FIGURES),
    "alerts:acknowledge": form(OPS),
    "alerts:unacknowledge": action(OPS),
    "alerts:silence": form(OPS),
    "alerts:resolve": form(OPS),
    "alerts:reopen": action(OPS),
    "alerts:lift": action(OPS),
    "alerts:bulk": action(OPS),
    "alerts:silences": form(OPS, readers=FIGURES),
    "alerts:snooze": form(OPS),
    "alerts:unsnooze": action(OPS),
    "alerts:assign": form(OPS),
    "alerts:reassign": action(OPS),
    "alerts:note": form(OPS),
    "alerts:erase-note": action(OPS),
    "alerts:again": action(OPS),
    "alerts:address-again": action(OPS),
    "alerts:unsubscribe": Access(reads=ALL, writes=ALL, open=True),
    "alerts:mailbox": page(FIGURES),
    "alerts:mail": page(FIGURES),
    "alerts:mail-html": page(FIGURES),
    "alerts:mail-file": page(FIGURES),
    # the JSON API
    "api:openapi-json": ANYONE,
    "api:api-root": Access(),
    "api:post_requests": posts("ingest"),
    "api:post_feedback": posts("rate"),
    "api:post_feedback_link": posts("rate"),
    "api:get_comparisons": JSON,
    "api:get_next_comparison": Access(scope="rate", reads=(), key="own"),
    "api:post_comparison": posts("rate"),
    "api:post_trial": whole(TRIALS, posts("trials")),
    "api:post_trial_stop": whole(TRIALS, posts("trials")),
    "api:get_trial": whole(TRIALS),
    **{f"api:get_{name}": whole(SETS, Access(scope="trials", reads=())) for name in ("sets", "set", "set_items")},
    "api:post_set": whole(SETS, posts("trials")),
    **{f"api:get_{name}": JSON for name in ("usage", "requests_file", "errors", "quality", "scoreboard")},
    **{f"api:get_{name}": JSON for name in ("latency", "latency_heat")},
    "api:get_rubrics": replace(JSON, key="public"),
    "api:get_rating_queues": whole("Queues are of answers of the whole installation."),
    "api:get_spend": JSON,
    "api:get_break_even": whole(SELF_HOSTING),
    "api:post_break_even": whole(SELF_HOSTING, posts("read")),
    "api:get_scenario": MARKET_JSON,
    "api:get_changes": JSON,
    "api:get_unit_costs": JSON,
    "api:get_user_costs": JSON,
    "api:get_reconciliation": whole(BILLS),
    "api:get_focus": whole(BILLS),
    "api:get_statements": JSON,
    "api:get_savings": whole("Savings are looked for in the traffic and leases of the whole installation."),
    "api:get_scorecard": whole(SELF_HOSTING),
    "api:get_verdicts": whole(SELF_HOSTING),
    "api:get_decisions": whole(SELF_HOSTING),
    "api:get_phases": whole(PLAN),
    "api:get_anomalies": JSON,
    "api:get_budgets": JSON,
    "api:get_offers": replace(MARKET_JSON, withheld=("model",)),  # its speed may be that of a deployment of ours
    "api:get_offer_history": MARKET_JSON,
    "api:get_offer_watches": whole("Offers are watched for the whole installation."),
    "api:get_leases": whole(MACHINES),
    "api:get_bill": whole(BILLS),
    "api:get_engine": whole(MACHINES),
    "api:get_uptime": whole(MACHINES),
    "api:get_alerts": JSON,
    "api:post_acknowledge": posts("alerts"),
    "api:post_assign": whole(PEOPLE, posts("alerts")),
    "api:post_note": posts("alerts"),
    "api:post_snooze": posts("alerts"),
    "api:post_unacknowledge": posts("alerts"),
    "api:post_unsnooze": posts("alerts"),
    "api:post_erase_note": whole(PEOPLE, posts("alerts")),
    "api:post_resolve": posts("alerts"),
    "api:post_reopen": posts("alerts"),
    "api:get_silences": JSON,
    "api:post_silence": posts("alerts"),
    "api:post_silence_end": posts("alerts"),
}
