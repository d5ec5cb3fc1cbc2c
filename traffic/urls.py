"""Pages of traffic."""

from __future__ import annotations

from django.urls import path

from traffic.applications.cap_views import application_cap_add, cap_delete, caps, key_cap_add
from traffic.applications.key_views import key_add, key_edit, key_first_request, key_list, key_revoke, key_rotate
from traffic.applications.views import application_add, application_edit, application_list, application_try, cache_purge
from traffic.clients.views import send_requests
from traffic.comparisons.views import choice_undo, compare, comparisons, pair_decide, pair_detail, skip_undo
from traffic.feedback_links.views import feedback_link
from traffic.imports.views import import_detail, import_do, import_errors, import_list
from traffic.judges.views import judge_list
from traffic.latency.views import latency
from traffic.playground.views import playground, playground_keep
from traffic.privacy.views import application_erase, erasure_detail, erasure_list
from traffic.quality.views import quality
from traffic.queues.views import queue_add, queue_detail, queue_fill, queue_list, queue_switch
from traffic.ratings.views import (
    abstention_undo,
    draft,
    my_ratings,
    my_ratings_export,
    name_switch,
    person_ratings,
    rate,
    undo,
)
from traffic.repricing import discount_views, price_views, unit_views
from traffic.repricing.views import repricing_detail, repricing_do, repricing_list
from traffic.requests.views import (
    request_detail,
    request_gold,
    request_link,
    request_list,
    request_rate,
    requests_export,
)
from traffic.routes.views import (
    route_add,
    route_delete,
    route_edit,
    route_list,
    route_move,
    route_switch,
    route_try,
    route_undo,
)
from traffic.rubrics.views import rubric_add, rubric_delete, rubric_edit, rubric_list, rubric_undo
from traffic.trials.set_views import set_delete, set_detail, set_file, set_list
from traffic.trials.views import trial_add, trial_list, trial_stop, trial_switch

app_name = "traffic"

urlpatterns = [
    path("requests/", request_list, name="requests"),
    path("requests/latency/", latency, name="latency"),
    path("requests/export.<slug:kind>", requests_export, name="requests-export"),
    path("requests/<uuid:identifier>/", request_detail, name="request"),
    path("requests/<uuid:identifier>/rate/", request_rate, name="request-rate"),
    path("requests/<uuid:identifier>/gold/", request_gold, name="request-gold"),
    path("requests/<uuid:identifier>/link/", request_link, name="request-link"),
    path("feedback/<str:token>/", feedback_link, name="feedback-link"),
    path("quality/", quality, name="quality"),
    path("quality/rate/", rate, name="rate"),
    path("quality/rate/draft/", draft, name="rate-draft"),
    path("quality/queues/", queue_list, name="queues"),
    path("quality/queues/add/", queue_add, name="queue-add"),
    path("quality/queues/<int:pk>/", queue_detail, name="queue"),
    path("quality/queues/<int:pk>/fill/", queue_fill, name="queue-fill"),
    path("quality/queues/<int:pk>/switch/", queue_switch, name="queue-switch"),
    path("quality/rubrics/", rubric_list, name="rubrics"),
    path("quality/rubrics/add/", rubric_add, name="rubric-add"),
    path("quality/rubrics/<int:pk>/", rubric_edit, name="rubric"),
    path("quality/rubrics/<int:pk>/delete/", rubric_delete, name="rubric-delete"),
    path("quality/rubrics/<int:pk>/undo/", rubric_undo, name="rubric-undo"),
    path("quality/my-ratings/", my_ratings, name="my-ratings"),
    path("quality/my-ratings/ratings.jsonl", my_ratings_export, name="my-ratings-export"),
    path("quality/my-ratings/name/", name_switch, name="rater-name"),
    path("quality/raters/<int:pk>/ratings.jsonl", person_ratings, name="person-ratings"),
    path("quality/ratings/<int:pk>/undo/", undo, name="rating-undo"),
    path("quality/abstentions/<int:pk>/undo/", abstention_undo, name="abstention-undo"),
    path("quality/compare/", compare, name="compare"),
    path("quality/compare/choices/<int:pk>/undo/", choice_undo, name="choice-undo"),
    path("quality/compare/skips/<int:pk>/undo/", skip_undo, name="skip-undo"),
    path("quality/comparisons/", comparisons, name="comparisons"),
    path("quality/comparisons/<int:pk>/", pair_detail, name="pair"),
    path("quality/comparisons/<int:pk>/decide/", pair_decide, name="pair-decide"),
    path("quality/judges/", judge_list, name="judges"),
    path("quality/sets/", set_list, name="sets"),
    path("quality/sets/<int:pk>/", set_detail, name="set"),
    path("quality/sets/<int:pk>/set.jsonl", set_file, name="set-file"),
    path("quality/sets/<int:pk>/delete/", set_delete, name="set-delete"),
    path("quality/playground/", playground, name="playground"),
    path("quality/playground/keep/", playground_keep, name="playground-keep"),
    path("quality/trials/", trial_list, name="trials"),
    path("quality/trials/add/", trial_add, name="trial-add"),
    path("quality/trials/<int:pk>/stop/", trial_stop, name="trial-stop"),
    path("quality/trials/<int:pk>/switch/", trial_switch, name="trial-switch"),
    path("settings/applications/", application_list, name="applications"),
    path("settings/applications/add/", application_add, name="application-add"),
    path("settings/applications/<slug:slug>/", application_edit, name="application"),
    path("settings/applications/<slug:slug>/try/", application_try, name="application-try"),
    path("settings/applications/<slug:slug>/delete/", application_erase, name="application-erase"),
    path("settings/applications/<slug:slug>/purge-cache/", cache_purge, name="application-cache-purge"),
    path("settings/deletions/", erasure_list, name="erasures"),
    path("settings/deletions/<int:pk>/", erasure_detail, name="erasure"),
    path("settings/keys/", key_list, name="keys"),
    path("settings/keys/add/", key_add, name="key-add"),
    path("settings/keys/<int:pk>/", key_edit, name="key"),
    path("settings/keys/<int:pk>/first-request/", key_first_request, name="key-first"),
    path("settings/send-requests/", send_requests, name="send-requests"),
    path("settings/keys/<int:pk>/rotate/", key_rotate, name="key-rotate"),
    path("settings/keys/<int:pk>/revoke/", key_revoke, name="key-revoke"),
    path("settings/keys/<int:pk>/caps/add/", key_cap_add, name="key-cap-add"),
    path("settings/applications/<slug:slug>/caps/add/", application_cap_add, name="application-cap-add"),
    path("settings/caps/", caps, name="caps"),
    path("settings/caps/<int:pk>/delete/", cap_delete, name="cap-delete"),
    path("settings/imports/", import_list, name="imports"),
    path("settings/imports/<int:pk>/", import_detail, name="import"),
    path("settings/imports/<int:pk>/errors.csv", import_errors, name="import-errors"),
    path("settings/imports/<int:pk>/<slug:act>/", import_do, name="import-do"),
    path("settings/prices/", price_views.prices, name="prices"),
    path("settings/prices/add/", price_views.add, name="price-add"),
    path("settings/prices/units/", unit_views.unit_prices, name="unit-prices"),
    path("settings/prices/units/<int:pk>/undo/", unit_views.unit_price_undo, name="unit-price-undo"),
    path("settings/prices/<int:pk>/undo/", price_views.undo, name="price-undo"),
    path("settings/discounts/", discount_views.discounts, name="discounts"),
    path("settings/discounts/<int:pk>/<slug:act>/", discount_views.discount_do, name="discount-do"),
    path("settings/repricings/", repricing_list, name="repricings"),
    path("settings/repricings/<int:pk>/", repricing_detail, name="repricing"),
    path("settings/repricings/<int:pk>/<slug:act>/", repricing_do, name="repricing-do"),
    path("settings/routes/", route_list, name="routes"),
    path("settings/routes/add/", route_add, name="route-add"),
    path("settings/routes/try/", route_try, name="route-try"),
    path("settings/routes/undo/", route_undo, name="route-undo"),
    path("settings/routes/<slug:slug>/", route_edit, name="route"),
    path("settings/routes/<slug:slug>/delete/", route_delete, name="route-delete"),
    path("settings/routes/<slug:slug>/switch/", route_switch, name="route-switch"),
    path("settings/routes/<slug:slug>/move/", route_move, name="route-move"),
]
