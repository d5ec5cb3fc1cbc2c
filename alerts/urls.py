"""Pages of the alerts."""

from __future__ import annotations

from django.urls import path

from alerts import views

app_name = "alerts"

urlpatterns = [
    path("alerts/", views.alerts, name="list"),
    path("alerts/history/", views.history, name="history"),
    path("alerts/rules/", views.rules, name="rules"),
    path("alerts/rules/new/", views.rule_new, name="rule-new"),
    path("alerts/rules/<slug:slug>/", views.rule, name="rule"),
    path("alerts/rules/<slug:slug>/switch/", views.rule_switch, name="rule-switch"),
    path("alerts/rules/<slug:slug>/delete/", views.rule_delete, name="rule-delete"),
    path("alerts/rules/<slug:slug>/restore/", views.rule_restore, name="rule-restore"),
    path("alerts/channels/", views.channels, name="channels"),
    path("alerts/channels/add/<str:kind>/", views.channel_add, name="channel-add"),
    path("alerts/channels/<slug:slug>/", views.channel, name="channel"),
    path("alerts/channels/<slug:slug>/switch/", views.channel_switch, name="channel-switch"),
    path("alerts/channels/<slug:slug>/delete/", views.channel_delete, name="channel-delete"),
    path("alerts/channels/<slug:slug>/undo/", views.channel_undo, name="channel-undo"),
    path("alerts/preferences/", views.preferences, name="preferences"),
    path("alerts/digests/<str:kind>/", views.digest, name="digest"),
    path("alerts/digests/<str:kind>/html/", views.digest_html, name="digest-html"),
    path("alerts/deliveries/", views.deliveries, name="deliveries"),
    path("alerts/bulk/", views.bulk, name="bulk"),
    path("alerts/silences/", views.silences, name="silences"),
    path("alerts/silences/<int:pk>/lift/", views.lift, name="lift"),
    path("alerts/addresses/<int:pk>/again/", views.address_again, name="address-again"),
    path("alerts/deliveries/<int:pk>/again/", views.again, name="again"),
    path("alerts/unsubscribe/<str:token>/", views.unsubscribe, name="unsubscribe"),
    path("alerts/<int:pk>/", views.alert, name="detail"),
    path("alerts/<int:pk>/acknowledge/", views.acknowledge, name="acknowledge"),
    path("alerts/<int:pk>/unacknowledge/", views.unacknowledge, name="unacknowledge"),
    path("alerts/<int:pk>/silence/", views.silence, name="silence"),
    path("alerts/<int:pk>/snooze/", views.snooze, name="snooze"),
    path("alerts/<int:pk>/unsnooze/", views.unsnooze, name="unsnooze"),
    path("alerts/<int:pk>/assign/", views.assign, name="assign"),
    path("alerts/<int:pk>/reassign/", views.reassign, name="reassign"),
    path("alerts/<int:pk>/note/", views.note, name="note"),
    path("alerts/<int:pk>/erase-note/", views.erase_note, name="erase-note"),
    path("alerts/<int:pk>/resolve/", views.resolve, name="resolve"),
    path("alerts/<int:pk>/reopen/", views.reopen, name="reopen"),
    path("mail/", views.mailbox, name="mailbox"),
    path("mail/<str:name>/", views.mail, name="mail"),
    path("mail/<str:name>/html/", views.mail_html, name="mail-html"),
    path("mail/<str:name>/files/<int:place>/", views.mail_file, name="mail-file"),
]
