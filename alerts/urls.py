"""Pages of the alerts."""

from __future__ import annotations

from django.urls import path

from alerts.channels.views import channel, channel_add, channel_delete, channel_switch, channel_undo, channels
from alerts.delivery.mailbox_views import mail, mail_file, mail_html, mailbox
from alerts.delivery.preference_views import preferences
from alerts.delivery.views import address_again, deliveries
from alerts.digests.views import digest, digest_html
from alerts.inbox.acting_views import (
    acknowledge,
    assign,
    bulk,
    erase_note,
    note,
    reassign,
    reopen,
    resolve,
    retry,
    silence,
    snooze,
    unacknowledge,
    unsnooze,
    unsubscribe,
)
from alerts.inbox.history_views import history
from alerts.inbox.silence_views import end_silence, silences
from alerts.inbox.views import alert, alerts
from alerts.rules.views import rule, rule_delete, rule_new, rule_restore, rule_switch, rules

app_name = "alerts"

urlpatterns = [
    path("alerts/", alerts, name="list"),
    path("alerts/history/", history, name="history"),
    path("alerts/rules/", rules, name="rules"),
    path("alerts/rules/new/", rule_new, name="rule-new"),
    path("alerts/rules/<slug:slug>/", rule, name="rule"),
    path("alerts/rules/<slug:slug>/switch/", rule_switch, name="rule-switch"),
    path("alerts/rules/<slug:slug>/delete/", rule_delete, name="rule-delete"),
    path("alerts/rules/<slug:slug>/restore/", rule_restore, name="rule-restore"),
    path("alerts/channels/", channels, name="channels"),
    path("alerts/channels/add/<str:kind>/", channel_add, name="channel-add"),
    path("alerts/channels/<slug:slug>/", channel, name="channel"),
    path("alerts/channels/<slug:slug>/switch/", channel_switch, name="channel-switch"),
    path("alerts/channels/<slug:slug>/delete/", channel_delete, name="channel-delete"),
    path("alerts/channels/<slug:slug>/undo/", channel_undo, name="channel-undo"),
    path("alerts/preferences/", preferences, name="preferences"),
    path("alerts/digests/<str:kind>/", digest, name="digest"),
    path("alerts/digests/<str:kind>/html/", digest_html, name="digest-html"),
    path("alerts/deliveries/", deliveries, name="deliveries"),
    path("alerts/bulk/", bulk, name="bulk"),
    path("alerts/silences/", silences, name="silences"),
    path("alerts/silences/<int:pk>/lift/", end_silence, name="lift"),
    path("alerts/addresses/<int:pk>/again/", address_again, name="address-again"),
    path("alerts/deliveries/<int:pk>/again/", retry, name="again"),
    path("alerts/unsubscribe/<str:token>/", unsubscribe, name="unsubscribe"),
    path("alerts/<int:pk>/", alert, name="detail"),
    path("alerts/<int:pk>/acknowledge/", acknowledge, name="acknowledge"),
    path("alerts/<int:pk>/unacknowledge/", unacknowledge, name="unacknowledge"),
    path("alerts/<int:pk>/silence/", silence, name="silence"),
    path("alerts/<int:pk>/snooze/", snooze, name="snooze"),
    path("alerts/<int:pk>/unsnooze/", unsnooze, name="unsnooze"),
    path("alerts/<int:pk>/assign/", assign, name="assign"),
    path("alerts/<int:pk>/reassign/", reassign, name="reassign"),
    path("alerts/<int:pk>/note/", note, name="note"),
    path("alerts/<int:pk>/erase-note/", erase_note, name="erase-note"),
    path("alerts/<int:pk>/resolve/", resolve, name="resolve"),
    path("alerts/<int:pk>/reopen/", reopen, name="reopen"),
    path("mail/", mailbox, name="mailbox"),
    path("mail/<str:name>/", mail, name="mail"),
    path("mail/<str:name>/html/", mail_html, name="mail-html"),
    path("mail/<str:name>/files/<int:place>/", mail_file, name="mail-file"),
]
