"""Settings of every Breakeven process; each knob is an environment variable, listed in `.env.example`."""

from __future__ import annotations

from pathlib import Path

import dj_database_url
import django_stubs_ext

from dashboard.environment import Environment, data_dir, email_settings
from dashboard.http.headers import page_hosts
from traffic.ingest.statement_timeout import TimeoutConnection

# Django's generic classes can be subscripted at run time too, as the type checker wants them.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = data_dir()
env = Environment(DATA_DIR)

DEBUG = False
DEMO = env.flag("BREAKEVEN_DEMO")
SECRET_KEY = env.secret("SECRET_KEY", "secret.key")
# They encrypt vendors' keys at rest (Fernet), the first of them; see `lib.keyring`. Of a file each use sees what
# it holds by then, a variable stays as it was at the start.
CREDENTIALS_KEY = env.secret("BREAKEVEN_KEY", "credentials.key")
CREDENTIALS_KEY_FILE = None if env.text("BREAKEVEN_KEY") else DATA_DIR / "credentials.key"
# Acknowledge and silence from a mail without a login: a forwarded mail would hand that on, so it is asked for.
MAIL_LINKS_ACT = env.flag("BREAKEVEN_MAIL_LINKS_ACT", DEMO)
BASE_URL = env.text("BREAKEVEN_URL", "http://127.0.0.1:8000").rstrip("/")
GATEWAY_URL = env.text("GATEWAY_URL", "http://127.0.0.1:8001").rstrip("/")
SANDBOX_URL = env.text("SANDBOX_URL").rstrip("/")
AUDIT_THREAD = True  # refusals are counted, and written by a thread of each process
AUDIT_HEAD: Path | None = DATA_DIR / "audit.head"  # how far the audit log had come, beside the database
# Exports to a folder stay below this one, whatever a person writes in the form.
EXPORTS_DIR = Path(env.text("BREAKEVEN_EXPORTS") or DATA_DIR / "exports")
RETENTION_DAYS = env.integer("BREAKEVEN_RETENTION_DAYS", 400)
# What the keys of one application may store in a UTC day, unless an admin says otherwise for it.
DAILY_REQUESTS = env.integer("BREAKEVEN_DAILY_REQUESTS", 5_000_000)
DAILY_GB = env.integer("BREAKEVEN_DAILY_GB", 20)
# Seconds in which a client takes something of its answer, or is hung up.
SEND_TIMEOUT = env.integer("BREAKEVEN_SEND_TIMEOUT", 30)
BODY_RETENTION_DAYS = env.integer("BREAKEVEN_BODY_RETENTION_DAYS", 90)

# Programs are answered at any name, pages at PAGE_HOSTS alone: nothing here builds a link from the Host header.
ALLOWED_HOSTS = ["*"]
PAGE_HOSTS = page_hosts(env.text("BREAKEVEN_URL"), env.text("BREAKEVEN_ALLOWED_HOSTS"))
CSRF_TRUSTED_ORIGINS = [BASE_URL]
# Proxies whose X-Forwarded-For tells the client's address.
TRUSTED_PROXIES = env.networks("BREAKEVEN_TRUSTED_PROXIES")

INSTALLED_APPS = [
    "providers",
    "traffic",
    "costs",
    "alerts",
    "dashboard",
    "demo",
    "sandbox",
    "benchmarks",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
]

MIDDLEWARE = [
    "dashboard.http.middleware.ContentSecurityPolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "dashboard.http.headers.PrivateAnswersMiddleware",
    "dashboard.http.headers.HostMiddleware",
    "django.middleware.gzip.GZipMiddleware",  # a page of 90 kB goes over the wire as 14
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "dashboard.http.database_away.DatabaseAwayMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "dashboard.signin.middleware.EventsMiddleware",
    "dashboard.signin.sessions.SessionLimitsMiddleware",
    "dashboard.signin.middleware.ConfirmMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "dashboard.http.reader_zone.ReaderZoneMiddleware",
    "dashboard.http.middleware.RefusalMiddleware",
    "dashboard.http.confinement.ConfinementMiddleware",
    "dashboard.menu.table_csv.TableCsvMiddleware",
    "dashboard.http.middleware.ExploreMiddleware",
]

ROOT_URLCONF = "dashboard.urls"

FORM_RENDERER = "dashboard.http.widgets.Renderer"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.http.context.page",
            ],
            "builtins": [
                "django.templatetags.i18n",
                "django.templatetags.static",
                "lib.formats",
                "dashboard.templatetags.charts",
                "dashboard.templatetags.page",
            ],
        },
    },
]

# A pool per process; a page waits 3 s for a connection at most, then the answer is 503 (DatabaseAwayMiddleware).
_database = dj_database_url.parse(env.text("DATABASE_URL", "postgresql://breakeven@127.0.0.1:5432/breakeven"))
DATABASES = {
    "default": {
        **_database,
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            **_database.get("OPTIONS", {}),  # what follows the URL's question mark: sslmode, require_auth
            "pool": {
                "min_size": 1,
                "max_size": env.integer("DATABASE_POOL", 18),
                "timeout": 3,
                "connection_class": TimeoutConnection,
            },
            "connect_timeout": 3,
            # Statements that ask for it are prepared on the server: Django would have none of them.
            "prepare_threshold": 5,
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.text("REDIS_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TASK_ALWAYS_EAGER = False

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "dashboard.signin.passwords.InstallationWordsValidator"},
]
AUTHENTICATION_BACKENDS = ["dashboard.signin.backend.PasswordBackend"]
PASSWORD_RESET_TIMEOUT = 3 * 86_400  # seconds that a one-time link for a new password works
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
LOCALE_PATHS = [BASE_DIR / "locale"]
# Without any translation there is nothing to look up, at each of a page's hundreds of words.
USE_I18N = any(BASE_DIR.glob("locale/*/LC_MESSAGES/django.mo"))
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "dashboard.static_files.finders.PlotlyFinder",
]
# Collected and compressed once, by `make setup` and the image: plotly.js alone takes seconds.
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "dashboard.static_files.compression.QuickManifestStaticFilesStorage"},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

globals().update(email_settings(env.text("EMAIL_URL")))
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", "Breakeven <breakeven@localhost>")

SESSION_ENGINE = "dashboard.signin.sessions"
SESSION_IDLE_S = env.integer("BREAKEVEN_SESSION_IDLE_HOURS", 12) * 3_600
SESSION_COOKIE_AGE = env.integer("BREAKEVEN_SESSION_DAYS", 7) * 86_400
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
HTTPS = BASE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# With this prefix a browser takes them from us alone: over https, and from no other host of the same domain.
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
CSRF_COOKIE_HTTPONLY = True  # scripts take the token from the page
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

# Same shape as Django 6's setting of this name, so that its own middleware can take over.
SECURE_CSP = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    # The hash of the empty string: plotly.js makes one empty <style> and fills it by script.
    "style-src": ["'self'", "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"],
    "img-src": ["'self'", "data:", "blob:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"refusals_summed": {"()": "dashboard.http.log_filters.RefusalsSummed"}},
    "formatters": {"line": {"()": "lib.events.EventFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["refusals_summed"]}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # One line per request is the access log's work; Django repeats each 4xx as a warning.
        "django.request": {"level": "ERROR"},
        "httpx": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},  # under the anthropic SDK
        "mail.log": {"level": "WARNING"},  # aiosmtpd tells every line of every session
        "celery": {"level": "WARNING"},  # a line for each task that is sent, received and done
        "kombu": {"level": "WARNING"},
    },
}
