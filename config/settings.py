"""Settings, all from the environment; `.env.example` lists what can be set.

`HOLDFAST_ENV` says where this runs: development (the default), demo, test or production. Only production
must be told everything; it refuses to start on a missing or unsafe value (`config.production`).
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
import django_stubs_ext
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from import_export.formats.base_formats import CSV

from config import embedded
from config.production import refuse_unsafe_environment

# Lets annotations such as ModelAdmin[Sale] be read at run time.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
VAR = BASE_DIR / "var"

ENVIRONMENTS = ("development", "demo", "test", "production")


def env_bool(name: str, default: bool) -> bool:
    value = os.environ.get(name, "").lower()
    if value in ("", "true", "1", "yes", "false", "0", "no"):
        return default if value == "" else value in ("true", "1", "yes")
    raise ImproperlyConfigured(f"{name} is {value!r}: set it to true or false.")


def env_int(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    try:
        return int(value) if value else default
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is {value!r}: set it to a whole number.") from error


def env_list(name: str, default: list[str]) -> list[str]:
    value = os.environ.get(name, "")
    return [part.strip() for part in value.split(",") if part.strip()] if value else default


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


ENVIRONMENT = os.environ.get("HOLDFAST_ENV", "development")
if ENVIRONMENT not in ENVIRONMENTS:
    raise ImproperlyConfigured(
        f"HOLDFAST_ENV is {ENVIRONMENT!r}: set it to one of {', '.join(ENVIRONMENTS)}."
    )
PRODUCTION = ENVIRONMENT == "production"
DEMO = ENVIRONMENT == "demo"

PAYMENT_GATEWAYS = env_list("PAYMENT_GATEWAYS", [] if PRODUCTION else ["demo"])
INSECURE_SECRET_KEY = "insecure-for-development-only-never-for-a-shop-that-takes-money"  # noqa: S105 -- refused in production
SECRET_KEY = os.environ.get("SECRET_KEY", "") or INSECURE_SECRET_KEY
if PRODUCTION:
    refuse_unsafe_environment(
        os.environ, insecure_secret_key=INSECURE_SECRET_KEY, gateways=PAYMENT_GATEWAYS
    )
DEBUG = env_bool("DEBUG", ENVIRONMENT == "development")
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", [] if PRODUCTION else ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS", [])

SHOP_NAME = os.environ.get("SHOP_NAME", "") or ("Larkfold" if DEMO else "Holdfast")
#: Who sells, as invoices say it: an address of one or several lines, and the number at the tax office.
SHOP_ADDRESS = os.environ.get("SHOP_ADDRESS", "").replace("\\n", "\n")
SHOP_TAX_ID = os.environ.get("SHOP_TAX_ID", "")
CURRENCY = os.environ.get("CURRENCY", "EUR")
#: Where most orders go: what the checkout starts with (ISO 3166-1 alpha-2).
COUNTRY = os.environ.get("COUNTRY", "DE")
#: Where shoppers reach us: mails are written without a request.
SITE_URL = os.environ.get("SITE_URL", "") or f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"

# Apps, outermost first: config -> flashsale -> shop -> inventory.

INSTALLED_APPS = [
    "flashsale",
    "shop",
    "inventory",
    "config.admin.HoldfastAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.sitemaps",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_countries",
    "drf_spectacular",
    "import_export",
    "rest_framework",
    "rest_framework.authtoken",
]

MIDDLEWARE = [
    # First: a shed request must cost neither a session nor a query.
    "flashsale.middleware.LoadSheddingMiddleware",
    "config.languages.LanguageMiddleware",
    "config.middleware.RefuseNulMiddleware",
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
    "flashsale.middleware.ShopperCookieMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "shop.context_processors.shop",
            ],
        },
    }
]

# PostgreSQL is the truth.

_running = None if PRODUCTION else embedded.urls(VAR)
DATABASE_URL = os.environ.get("DATABASE_URL", "") or (_running.database_url if _running else "")
DATABASES: dict[str, Any] = {
    "default": dj_database_url.parse(DATABASE_URL or "postgres://holdfast@127.0.0.1:1/holdfast")
}
DATABASES["default"] |= {
    "CONN_MAX_AGE": env_int("DATABASE_CONNECTION_SECONDS", 60),
    "CONN_HEALTH_CHECKS": True,
    "ATOMIC_REQUESTS": False,
}
DATABASES["default"].setdefault("OPTIONS", {}).update(
    {
        # Milliseconds. A shopper waits no longer than this for a row or an answer.
        "options": "-c lock_timeout=5000 -c statement_timeout=30000"
        " -c idle_in_transaction_session_timeout=60000",
        "connect_timeout": 5,
    }
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Redis: the sale's own, Celery's broker, and the caches. They may be one server.

REDIS_URL = os.environ.get("REDIS_URL", "") or (_running.redis_url if _running else "")
BROKER_URL = os.environ.get("BROKER_URL", "") or REDIS_URL
CACHE_URL = os.environ.get("CACHE_URL", "") or REDIS_URL
#: Seconds. The sale's Redis answers within this or is treated as away.
REDIS_TIMEOUT_SECONDS = 1.0
#: Seconds. The same for a click on Buy and its like, which hold a worker meanwhile and then go to PostgreSQL.
HOT_REDIS_TIMEOUT_SECONDS = 0.25

_CACHE_OPTIONS = {
    "CLIENT_CLASS": "django_redis.client.DefaultClient",
    "REDIS_CLIENT_CLASS": "config.caches.RestingRedis",
    "SOCKET_CONNECT_TIMEOUT": 0.2,
    "SOCKET_TIMEOUT": 0.2,
    "IGNORE_EXCEPTIONS": True,
}
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": "holdfast",
        "OPTIONS": _CACHE_OPTIONS,
    },
    # Counts of django-ratelimit. With Redis away nobody is limited: shoppers go first.
    "ratelimit": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": "ratelimit",
        "OPTIONS": _CACHE_OPTIONS,
    },
}
RATELIMIT_USE_CACHE = "ratelimit"
RATELIMIT_FAIL_OPEN = True
RATELIMIT_ENABLE = env_bool("RATELIMIT_ENABLE", True)

#: Seconds for which pages that are the same for everybody are kept, by the shop and by caches; 0: not at all. Tests
#: change rows behind the shop's back.
PAGE_CACHE_SECONDS = env_int("PAGE_CACHE_SECONDS", 0 if ENVIRONMENT == "test" else 30)

# Celery

CELERY_BROKER_URL = BROKER_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "global_keyprefix": "celery:",
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_ROUTES = {
    "flashsale.tasks.drain_purchases": {"queue": "purchases"},
    "flashsale.tasks.renew_lines": {"queue": "line"},
}
#: Seconds between runs; a run that could not start within its period is dropped, the next one does it.
_BEAT = {
    "flashsale.tasks.renew_lines": 1,
    "flashsale.tasks.drain_all": 2,
    "flashsale.tasks.send_line_alerts": 5,
    "flashsale.tasks.write_hold_mails": 5,
    "flashsale.tasks.close_sales": 5,
    "flashsale.tasks.watch_gates": 3,
    "flashsale.tasks.publish_load_level": 1,
    "inventory.tasks.expire_holds": 1,
    "shop.tasks.expire_orders": 2,
    "shop.tasks.remind_of_endings": 10,
    "shop.tasks.offer_what_came_in": 5,
    "shop.tasks.settle_payments": 5,
    "shop.tasks.check_refunds": 30,
    "shop.tasks.process_payment_events": 5,
    "shop.tasks.deliver_demo_events": 1,
    "shop.tasks.forget_answers": 3600,
    "shop.tasks.forget_unconfirmed_alerts": 3600,
    "shop.tasks.learn_search_words": 300,
    "shop.tasks.send_due_mails": 30,
}
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    name.rpartition(".")[2]: {
        "task": name,
        "schedule": float(seconds),
        "options": {"expires": float(seconds)},
    }
    for name, seconds in _BEAT.items()
}
CELERY_BEAT_SCHEDULE["audit_books"] = {
    "task": "inventory.tasks.audit_books",
    # After the night's last orders and before the day's first; not in the hour that summer time skips or repeats.
    "schedule": crontab(hour=4, minute=30),
    "options": {"expires": 6 * 3600.0},
}

# The purchase queue

#: Claims settled in one transaction. 250 to 500 is where throughput is flat.
PURCHASE_BATCH_SIZE = env_int("PURCHASE_BATCH_SIZE", 250)
#: Claims settled per second and worker process at the most: what payment and the database can follow.
PURCHASES_PER_SECOND = env_int("PURCHASES_PER_SECOND", 2000)
#: Seconds after which the claims that a silent worker took are given to another.
CLAIM_LEASE_SECONDS = env_int("CLAIM_LEASE_SECONDS", 30)

#: Clicks on Buy are answered in front of Django (`flashsale.express`); off: by Django's own route.
EXPRESS_ROUTE = env_bool("EXPRESS_ROUTE", True)

#: Who judges whoever joins a line, by a dotted path (`flashsale.challenges.Judge`); '': nobody is asked.
LINE_CHALLENGE = os.environ.get("LINE_CHALLENGE", "")

# Orders and payments

#: Seconds that an order from a cart waits for its payment.
ORDER_HOLD_SECONDS = env_int("ORDER_HOLD_SECONDS", 1800)
# Orders from the shelf that one shopper may leave unpaid at a time; more would hold the stock from everybody else.
MAX_UNPAID_ORDERS = env_int("MAX_UNPAID_ORDERS", 5)
#: Seconds more that a shopper gets who asks for them, once; 0: nobody does. Of a sale, its merchant says.
ORDER_EXTENSION_SECONDS = env_int("ORDER_EXTENSION_SECONDS", 600)
#: Seconds for which a unit that came in is held for whoever waited for it.
STOCK_OFFER_SECONDS = env_int("STOCK_OFFER_SECONDS", 6 * 3600)
#: Where the terms of sale are, for the checkout to link to: the shop's own page, until a merchant has another.
TERMS_URL = os.environ.get("TERMS_URL", "") or "/terms/"
DEMO_GATEWAY_SECRET = os.environ.get("DEMO_GATEWAY_SECRET", "demo-gateway")
STRIPE_SECRET_KEY = os.environ.get("STRIPE_SECRET_KEY", "")
STRIPE_PUBLISHABLE_KEY = os.environ.get("STRIPE_PUBLISHABLE_KEY", "")
STRIPE_WEBHOOK_SECRET = os.environ.get("STRIPE_WEBHOOK_SECRET", "")
#: Empty: Stripe itself; else a server that speaks like it.
STRIPE_API_BASE = os.environ.get("STRIPE_API_BASE", "")
STRIPE_JS_URL = os.environ.get("STRIPE_JS_URL", "") or "https://js.stripe.com/v3/"
#: Days after an order was shipped in which the shopper may ask to send things back.
RETURN_DAYS = env_int("RETURN_DAYS", 30)
#: Delivery, until the merchant defines a delivery method.
SHIPPING_FLAT_RATE = "4.90"
FREE_SHIPPING_FROM = "80.00"

# Accounts

AUTH_USER_MODEL = "shop.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = (
    [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    if ENVIRONMENT != "test"
    else ["django.contrib.auth.hashers.MD5PasswordHasher"]
)
if PRODUCTION:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "shop:account"
LOGOUT_REDIRECT_URL = "shop:home"
ACCOUNT_ADAPTER = "shop.accounts.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_SIGNUP_FORM_CLASS = None
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGOUT_ON_GET = False
#: django-ratelimit counts instead (`shop.ratelimits`): allauth's own limits shut everybody out, and take a
#: second to do so, while Redis is away.
ACCOUNT_RATE_LIMITS = False
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = SHOP_NAME
#: Staff sign in with a second factor; only the demo, whose accounts exist nowhere else, does without.
STAFF_SECOND_FACTOR = env_bool("STAFF_SECOND_FACTOR", not DEMO)
#: Who works here may do what; patterns over `app.codename`. Accounts are the superusers' business.
GROUPS = {
    "Merchants": [
        "shop.*_category",
        "shop.*_product",
        "shop.*_productimage",
        "shop.*_variant",
        "shop.*_review",
        "shop.view_stockalert",
        "shop.view_stockoffer",
        "shop.*_order",
        "shop.view_lineitem",
        "shop.view_orderevent",
        "shop.view_payment*",
        "shop.view_invoice",
        "shop.view_refund*",
        "shop.view_return*",
        "shop.view_outgoingmail",
        "shop.change_outgoingmail",
        "shop.*_taxrate",
        "shop.*_shippingmethod",
        "shop.*_shippingrate",
        "shop.*_discountcode",
        "shop.view_discountuse",
        "inventory.view_*",
        "inventory.change_stock",
        "flashsale.*_sale",
        "flashsale.*_saleitem",
        "flashsale.view_*",
        "flashsale.add_loadlevel",
        "flashsale.change_setasideclaim",
    ],
    "Staff": [
        "shop.view_*",
        "shop.change_review",
        "shop.change_order",
        "inventory.view_*",
        "flashsale.view_*",
        "flashsale.add_loadlevel",
        "flashsale.change_setasideclaim",
    ],
}
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30

# API

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["shop.api.parsing.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "shop.problems.exception_handler",
    "PAGE_SIZE": 24,
}
SPECTACULAR_SETTINGS = {
    "TITLE": f"{SHOP_NAME} API",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "shop.api.schema.describe_problems",
    ],
}

# Language and time

LANGUAGE_CODE = "en"
#: Each in its own words, as the switch in the footer says them.
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["config.formats"]
LANGUAGE_COOKIE_AGE = 60 * 60 * 24 * 365
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SECURE = PRODUCTION
TIME_ZONE = os.environ.get("TIME_ZONE", "Europe/Berlin")
USE_TZ = True
#: Beat's nights are the shop's.
CELERY_TIMEZONE = TIME_ZONE

# Files

STATIC_URL = "static/"
#: Collected for production alone; elsewhere files are served from where they are edited.
STATIC_ROOT = os.environ.get("STATIC_ROOT", "") or (str(VAR / "static") if PRODUCTION else None)
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_URL = "media/"
MEDIA_ROOT = Path(os.environ.get("MEDIA_ROOT", "") or VAR / "media")
#: The web server or CDN serves pictures in production; elsewhere Django does.
SERVE_MEDIA = not PRODUCTION
WHITENOISE_USE_FINDERS = not PRODUCTION
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "config.static_storage.HashedStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# Email

if PRODUCTION:
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = os.environ.get("EMAIL_HOST", "") or "localhost"
    EMAIL_PORT = env_int("EMAIL_PORT", 587)
    EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
    EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
    EMAIL_USE_TLS = env_bool("EMAIL_USE_TLS", True)
    EMAIL_TIMEOUT = 10
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = os.environ.get("EMAIL_FILE_PATH", "") or VAR / "mail"
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", f"{SHOP_NAME} <shop@example.com>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
#: Who is told when the books do not agree; the log and /metrics say it in any case.
ALERT_EMAILS = env_list("ALERT_EMAILS", [])

# Security

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
if "stripe" in PAYMENT_GATEWAYS:
    # Card numbers are typed into Stripe's frames, and go from there to Stripe.
    _directives = CONTENT_SECURITY_POLICY["DIRECTIVES"]
    _directives["script-src"] += [origin_of(STRIPE_JS_URL)]
    _directives["frame-src"] = [origin_of(STRIPE_JS_URL), "https://hooks.stripe.com"]
    _directives["connect-src"] += [STRIPE_API_BASE or "https://api.stripe.com"]
CSRF_FAILURE_VIEW = "shop.problems.csrf_failure"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
if PRODUCTION:
    SECURE_SSL_REDIRECT = env_bool("SECURE_SSL_REDIRECT", True)
    SECURE_REDIRECT_EXEMPT = [r"^healthz/"]
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = env_int("SECURE_HSTS_SECONDS", 31_536_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
#: Proxies in front whose X-Forwarded-For entry names the shopper; 0 means none is trusted.
TRUSTED_PROXIES = env_int("TRUSTED_PROXIES", 0)
METRICS_ADDRESSES = env_list("METRICS_ADDRESSES", ["127.0.0.1", "::1"])

# Tables in the admin: CSV alone, a file as a whole, and the preview's file where every server finds it.

IMPORT_EXPORT_USE_TRANSACTIONS = True
IMPORT_EXPORT_TMP_STORAGE_CLASS = "import_export.tmp_storages.CacheStorage"
IMPORT_EXPORT_FORMATS = [CSV]
IMPORT_EXPORT_IMPORT_PERMISSION_CODE = "change"
IMPORT_EXPORT_EXPORT_PERMISSION_CODE = "view"
#: A spreadsheet must not run what a shopper typed.
IMPORT_EXPORT_ESCAPE_FORMULAE_ON_EXPORT = True

# The demo

DEMO_SALE = "first-light"
ROUTE_PRIORITIES = "config.priorities.priority_of"
#: Modules that name their room's tables about a person: PARTS, reasons_against and forget; see `shop.privacy`.
PERSONAL_DATA = ["shop.personal_data", "flashsale.personal_data"]
AUDIT_CHECKS = ["inventory.audit.checks", "shop.audit.checks", "flashsale.audit.checks"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname:<7} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": os.environ.get("LOG_LEVEL", "INFO")},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "fontTools": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
        "stripe": {"level": "WARNING"},
    },
}
