"""The product's settings over the suite's own servers; what differs below is for speed alone."""

from __future__ import annotations

import os

from tests.servers import servers

servers.ensure()
os.environ.setdefault("SECRET_KEY", "of the suite")

from dashboard.settings import *  # noqa: E402, F403 -- the servers must be known before the settings are read

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
MAIL_LINKS_ACT = True  # not the default, which a test of its own holds
AUDIT_HEAD = None
AUDIT_THREAD = False  # what it would write, a test's transaction could not take back
USE_I18N = True  # some tests speak Italian, of which Django itself knows the numbers and months
# A task that a test does not run itself goes nowhere; tests of the queue ask for the fixture `valkey_url`.
CELERY_BROKER_URL = "memory://"
# Files as they are, with no `collectstatic` before the suite.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True
