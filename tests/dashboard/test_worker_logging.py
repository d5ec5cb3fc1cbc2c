"""The worker and beat write what the settings say, whatever level stands on their command line."""

from __future__ import annotations

import logging

import pytest

from dashboard.celery import app


def test_worker_leaves_the_logging_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    monkeypatch.setattr(type(app.log), "already_setup", False)
    app.log.setup(loglevel=logging.WARNING, redirect_stdouts=False)
    assert (root.level, list(root.handlers)) == before
