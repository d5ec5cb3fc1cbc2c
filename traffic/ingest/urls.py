"""Where telemetry is sent to; keys of the JSON API open these too."""

from __future__ import annotations

from django.urls import path

from traffic.ingest.litellm import webhook
from traffic.ingest.otlp_views import langfuse, logs, metrics, traces

urlpatterns = [
    path("v1/traces", traces, name="otlp_traces"),
    path("api/public/otel/v1/traces", langfuse, name="otlp_langfuse"),
    path("v1/metrics", metrics, name="otlp_metrics"),
    path("v1/logs", logs, name="otlp_logs"),
    path("ingest/litellm", webhook, name="litellm"),
]
