"""One request as code that can be copied, in the languages that buyers' CRMs are written in. Pure."""

from __future__ import annotations

import json
from pprint import pformat
from typing import Any, NamedTuple

PLACEHOLDER = "YOUR_KEY"


class Snippet(NamedTuple):
    """``code`` in ``language``; it reads the key from the environment, or has a placeholder for it."""

    language: str
    code: str


def snippets(url: str, body: dict[str, Any]) -> list[Snippet]:
    """The same POST of ``body`` as JSON in curl, Python, JavaScript and PHP."""
    return [
        Snippet("curl", curl(url, pretty(body))),
        Snippet("Python", python(url, body)),
        Snippet("JavaScript", javascript(url, body)),
        Snippet("PHP", php(url, body)),
    ]


def pretty(body: Any) -> str:
    """JSON as people read it."""
    return json.dumps(body, indent=2, ensure_ascii=False)


def curl(url: str, text: str, key: str = PLACEHOLDER, kind: str = "application/json") -> str:
    """For a POSIX shell; ``text`` is sent as it is."""
    quoted = text.replace("'", "'\\''")
    return (
        f"curl -X POST {url} \\\n  -H 'X-API-Key: {key}' \\\n  -H 'Content-Type: {kind}' \\\n  -d '{quoted}'"
    )


def python(url: str, body: dict[str, Any]) -> str:
    """With nothing but the standard library, for Python 3.8 and newer."""
    return f"""import json
import os
import urllib.error
import urllib.request
import uuid

body = {pformat(body, sort_dicts=False, width=88)}

request = urllib.request.Request(
    {url!r},
    data=json.dumps(body).encode(),
    headers={{
        'X-API-Key': os.environ['LEADLOOP_KEY'],
        'Content-Type': 'application/json',
        'Idempotency-Key': str(uuid.uuid4()),
    }},
)
try:
    with urllib.request.urlopen(request, timeout=30) as response:
        print(response.status, json.load(response))
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"""


def javascript(url: str, body: dict[str, Any]) -> str:
    """With fetch, on a server: in a page, everybody could read the key."""
    return f"""const body = {pretty(body)};

const response = await fetch({json.dumps(url)}, {{
  method: "POST",
  headers: {{
    "X-API-Key": process.env.LEADLOOP_KEY,
    "Content-Type": "application/json",
    "Idempotency-Key": crypto.randomUUID(),
  }},
  body: JSON.stringify(body),
}});
console.log(response.status, await response.json());
"""


def php(url: str, body: dict[str, Any]) -> str:
    """With PHP's curl extension."""
    return f"""<?php
$body = <<<'JSON'
{pretty(body)}
JSON;

$request = curl_init('{url}');
curl_setopt_array($request, [
    CURLOPT_POST => true,
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_TIMEOUT => 30,
    CURLOPT_HTTPHEADER => [
        'X-API-Key: ' . getenv('LEADLOOP_KEY'),
        'Content-Type: application/json',
        'Idempotency-Key: ' . bin2hex(random_bytes(16)),
    ],
    CURLOPT_POSTFIELDS => $body,
]);
$answer = curl_exec($request);
echo curl_getinfo($request, CURLINFO_RESPONSE_CODE), ' ', $answer, PHP_EOL;
"""
