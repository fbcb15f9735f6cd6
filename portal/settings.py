"""Settings, all from the environment; nonsense fails at start-up with the name of the variable.

Without any variable set this is a safe embedded installation: SQLite in ``var/``, Celery over the
file system, a generated secret key, e-mails written to ``var/mail``, ``DEBUG`` off.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import django_stubs_ext
import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from portal import egress_allow

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

VAR_DIR = Path(env.str("LEADLOOP_VAR", default=str(BASE_DIR / "var"))).resolve()
for folder in (VAR_DIR, VAR_DIR / "uploads", VAR_DIR / "mail"):
    folder.mkdir(parents=True, exist_ok=True)


def _secret_key() -> str:
    """The key from SECRET_KEY, else one made once and kept in ``var/secret_key`` (mode 600)."""
    if key := env.str("SECRET_KEY", default=""):
        return str(key)
    path = VAR_DIR / "secret_key"
    if not path.exists():
        fresh = path.with_name(f"secret_key.{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(64))
        try:
            path.hardlink_to(fresh)  # atomic: the first of several starting processes wins
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text()


SECRET_KEY = _secret_key()
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
DEBUG = env.bool("DEBUG", default=False)
BASE_URL = env.str("LEADLOOP_BASE_URL", default="http://127.0.0.1:8000").rstrip("/")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
HTTPS = BASE_URL.startswith("https://")

INSTALLED_APPS = [
    "portal.apps.PortalConfig",
    "flows.apps.FlowsConfig",
    "feedback.apps.FeedbackConfig",
    "reports.apps.ReportsConfig",
    "portal.apps.SellerAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "django_filters",
    "django_htmx",
    "django_tables2",
    "heroicons",
    "template_partials",
]

MIDDLEWARE = [
    "portal.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.middleware.ActorMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            # Dates and numbers as the person reads them, wherever a template writes one.
            "builtins": ["portal.templatetags.formats"],
            "libraries": {"humanize": "portal.templatetags.formats"},
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.navigation.context",
            ],
        },
    }
]


# --- Data -----------------------------------------------------------------------------------
def _database() -> dict[str, Any]:
    """PostgreSQL as DATABASE_URL says, else SQLite set up for several writing processes.

    WAL lets readers go on while one writes; BEGIN IMMEDIATE and the time-out make writers queue
    instead of failing with "database is locked"; synchronous=FULL keeps a 2xx after a power cut.
    """
    config: dict[str, Any] = env.db_url("DATABASE_URL", default=f"sqlite:///{VAR_DIR}/leadloop.sqlite3")
    if config["ENGINE"] == "django.db.backends.sqlite3":
        # Not a connection a request: the last one to close copies the log back and waits for the disk.
        config["CONN_MAX_AGE"] = 60
        config["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
        }
    elif config["ENGINE"] == "django.db.backends.postgresql":
        config["CONN_MAX_AGE"] = 60
        config["CONN_HEALTH_CHECKS"] = True
        config["OPTIONS"] = {"connect_timeout": 5}
    else:
        raise ImproperlyConfigured(
            "DATABASE_URL must name PostgreSQL (postgres://…) or SQLite (sqlite:///…)."
        )
    return config


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "portal.User"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

REDIS_URL = env.str("REDIS_URL", default="")
if REDIS_URL and not REDIS_URL.startswith(("redis://", "rediss://", "unix://")):
    raise ImproperlyConfigured("REDIS_URL must begin with redis://, rediss:// or unix://.")
CACHES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# --- Celery: carries wake-up hints only, never the only copy of anything --------------------------
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = "leadloop"
# Long work has a worker of its own, so that it holds up no recompute; one without --queues does both.
CELERY_TASK_QUEUES = {name: {"exchange": name} for name in ("leadloop", "leadloop-long", "leadloop-outbox")}
CELERY_TASK_ROUTES = {
    "feedback.read_upload": {"queue": "leadloop-long"},
    "feedback.sweep_uploads": {"queue": "leadloop-long"},
    "feedback.run_bulk": {"queue": "leadloop-long"},
    "feedback.sweep_bulk": {"queue": "leadloop-long"},
    "flows.deliver_outbox": {"queue": "leadloop-outbox"},  # waits for receivers that may be slow
}
CELERY_TASK_PUBLISH_RETRY = False  # a lost hint costs seconds: the sweeper finds the work
if REDIS_URL:
    CELERY_BROKER_URL = REDIS_URL
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {"socket_connect_timeout": 2, "socket_timeout": 5}
else:
    CELERY_BROKER_URL = "filesystem://localhost"
    _queue = VAR_DIR / "queue"
    for folder in (_queue, _queue / "control"):
        folder.mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_queue),
        "data_folder_out": str(_queue),
        "control_folder": str(_queue / "control"),
        "polling_interval": 0.25,
    }
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    "sweep-stale-marks": {"task": "feedback.recompute", "schedule": 2.0, "options": {"expires": 2}},
    "sweep-uploads": {"task": "feedback.sweep_uploads", "schedule": 5.0, "options": {"expires": 5}},
    "sweep-bulk": {"task": "feedback.sweep_bulk", "schedule": 5.0, "options": {"expires": 5}},
    "sweep-outbox": {"task": "flows.deliver_outbox", "schedule": 5.0, "options": {"expires": 5}},
    # Every hour, as each flow's day begins at another; what was decided on a day is not decided again.
    "rule-daily": {"task": "feedback.rule_daily", "schedule": 3600.0, "options": {"expires": 3600}},
    "watch": {"task": "feedback.watch", "schedule": 3600.0, "options": {"expires": 3600}},
    "send-digests": {"task": "flows.send_digests", "schedule": 300.0, "options": {"expires": 300}},
    "tidy-files": {"task": "feedback.tidy", "schedule": 3600.0, "options": {"expires": 3600}},
    "tidy": {"task": "flows.tidy", "schedule": 3600.0, "options": {"expires": 3600}},
}

# --- The API ----------------------------------------------------------------------------------
API_RATE_LIMIT = env.str("LEADLOOP_RATE_LIMIT", default="6000/minute")  # per API key
API_RATE_LIMIT_STORAGE = REDIS_URL or "memory://"
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5_000  # a file has up to 1,000 columns, and texts to be given a meaning
UPLOAD_MAX_BYTES = 200 * 1024 * 1024
MEDIA_ROOT = VAR_DIR / "uploads"

# --- Outgoing HTTP: what may be called although it lies inward ---------------------------------------
EGRESS_ALLOW = egress_allow.parse(env.list("LEADLOOP_EGRESS_ALLOW", default=[]))

# --- People -----------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
ACCOUNT_ADAPTER = "portal.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # accounts are made by the seller, not by signing up
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # such a mail would invite to sign up, which nobody can
MFA_ADAPTER = "portal.second_factor.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # nobody signs up: whoever made the account chose the address
MFA_TOTP_ISSUER = "Leadloop"
MFA_TOTP_TOLERANCE = 1  # a code of half a minute ago counts: clocks differ, and typing takes time
MFA_FORMS = {
    "authenticate": "portal.account_forms.CodeForm",
    "reauthenticate": "portal.account_forms.ReauthenticateCodeForm",
    "activate_totp": "portal.account_forms.ActivateTOTPForm",
    "login_webauthn": "portal.account_forms.PasskeyLogInForm",
    "authenticate_webauthn": "portal.account_forms.PasskeyCodeForm",
    "reauthenticate_webauthn": "portal.account_forms.ReauthenticatePasskeyForm",
    "add_webauthn": "portal.account_forms.AddPasskeyForm",
    "edit_webauthn": "portal.account_forms.RenamePasskeyForm",
}
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"

EMAIL_TIMEOUT = 15  # seconds: a mail server that says nothing must not hold up all others
EMAIL_CONFIG = env.email_url("EMAIL_URL", default="filemail:///")
vars().update(EMAIL_CONFIG)
if EMAIL_CONFIG["EMAIL_BACKEND"] == "django.core.mail.backends.filebased.EmailBackend":
    EMAIL_FILE_PATH = str(VAR_DIR / "mail")
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Leadloop <leadloop@localhost>")

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_MODULE_PATH = "portal.django_formats"

# --- Static files and browser safety ------------------------------------------------------------
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000 if HTTPS else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=HTTPS)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "portal.views.csrf_failure"
CSRF_TRUSTED_ORIGINS = [BASE_URL]
if env.bool("LEADLOOP_BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    ALLAUTH_TRUSTED_PROXY_COUNT = 1  # failed log-ins are counted by the visitor's address, not the proxy's

DJANGO_TABLES2_TEMPLATE = "tables/table.html"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "portal.logs.KeyHidingFormatter",
            "format": "{asctime} {levelname} {name} {message}",
            "style": "{",
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    # Of runserver: its lines hold whole addresses.
    "loggers": {"django.server": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
}
