"""The settings under test: as in production, in a folder of their own, and quick where it does not matter."""

import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

_var = (
    Path(tempfile.gettempdir())
    / f"leadloop-test-{os.getuid()}"
    / os.environ.get("PYTEST_XDIST_WORKER", "main")
)
_var.mkdir(parents=True, exist_ok=True)
os.environ["LEADLOOP_VAR"] = str(_var)
if os.environ.get("REDIS_URL"):  # a database of its own for each test process: 1 to 15, 0 is left alone
    _number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 15 + 1
    os.environ["REDIS_URL"] = urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{_number}").geturl()
os.environ["SECRET_KEY"] = "a key for tests only, long enough to be taken for a real one by the deploy check"

from portal.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
WHITENOISE_AUTOREFRESH = True
