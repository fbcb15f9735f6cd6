"""``make test``: the whole suite on the embedded defaults, then on what else is found on this machine.

PostgreSQL is looked for at DATABASE_URL and on 127.0.0.1, Redis at REDIS_URL and on 127.0.0.1, Chromium at
CHROMIUM and on the path. What is not found is named at the end; with LEADLOOP_REQUIRE_ALL=1 that is a
failure, and so is a skipped test.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import psycopg
import redis

POSTGRES = (
    "postgres://leadloop:leadloop@127.0.0.1:5432/leadloop",
    "postgres://postgres@127.0.0.1:5432/postgres",
)
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def find_postgres() -> str:
    """The first address at which a role may make the test database, or ""."""
    given = os.environ.get("DATABASE_URL", "")
    candidates = [given] if given.startswith("postgres") else POSTGRES
    return next((url for url in candidates if may_create_databases(url)), "")


def may_create_databases(url: str) -> bool:
    query = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
    try:
        with psycopg.connect(url, connect_timeout=3) as connection:
            return connection.execute(query).fetchone()[0]
    except psycopg.Error:
        return False


def find_redis() -> str:
    url = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
    try:
        with redis.from_url(url, socket_connect_timeout=3) as client:
            return url if client.ping() else ""
    except redis.RedisError:
        return ""


def find_chromium() -> str:
    names = [os.environ["CHROMIUM"]] if os.environ.get("CHROMIUM") else CHROMIUMS
    return next((path for name in names if (path := shutil.which(name))), "")


def run(title: str, arguments: list[str], **env: str) -> bool:
    """One pass of pytest in a process of its own, in an environment without our own variables."""
    ours = ("DATABASE_URL", "REDIS_URL", "CHROMIUM", "ALLOWED_HOSTS", "SECRET_KEY", "EMAIL_URL")
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not (name.startswith("LEADLOOP_") and name != "LEADLOOP_REQUIRE_ALL")
    }
    strict = ["-p", "tests.nothing_skipped"] if required() else []
    print(f"\n──── {title} ────", flush=True)
    slow = ["--durations=10", "--durations-min=3"]
    command = [sys.executable, "-m", "pytest", *strict, *slow, *arguments, *sys.argv[1:]]
    return subprocess.run(command, check=False, env={**clean, **env}).returncode == 0


def required() -> bool:
    return os.environ.get("LEADLOOP_REQUIRE_ALL", "") not in ("", "0")


def main() -> int:
    postgres, redis_url, chromium = find_postgres(), find_redis(), find_chromium()
    passes: dict[str, bool] = {}

    def do(title: str, arguments: list[str], **env: str) -> None:
        passes[title] = run(title, arguments, **env)

    do("SQLite, embedded broker", ["-n", "auto", "-m", "not browser and not postgres"])
    services = {"DATABASE_URL": postgres, "REDIS_URL": redis_url}
    found = {name: url for name, url in services.items() if url}
    if found:
        named = " and ".join(["PostgreSQL"] * bool(postgres) + ["Redis"] * bool(redis_url))
        mark = "not browser" if postgres else "not browser and not postgres"
        do(named, ["-n", "auto", "-m", mark], **found)
    if chromium:
        do("Chromium", ["-n", "auto", "-m", "browser"], CHROMIUM=chromium)
    missing = [
        name
        for name, there in (("PostgreSQL", postgres), ("Redis", redis_url), ("Chromium", chromium))
        if not there
    ]
    return report(passes, missing)


def report(passes: dict[str, bool], missing: list[str]) -> int:
    print()
    for title, passed in passes.items():
        print(f"{'passed' if passed else 'FAILED'}: {title}")
    for name in missing:
        print(f"not run: {name} was not found (make services installs and starts it)")
    return 0 if all(passes.values()) and not (missing and required()) else 1


if __name__ == "__main__":
    sys.exit(main())
