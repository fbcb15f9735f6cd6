"""Sending a file of feedback and waiting for it, as code that can be copied. Pure.

Each sends the file, asks how far it is until the worker has done with it, prints the counts, and the refused
rows if there are any.
"""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from feedback.snippets import PLACEHOLDER, Snippet

FILE = "feedback.csv"


def file_snippets(endpoint: str) -> list[Snippet]:
    """In curl, Python, JavaScript and PHP. ``endpoint``: the absolute address of the flow's feedback."""
    url, parts = f"{endpoint}/uploads", urlsplit(endpoint)
    base = f"{parts.scheme}://{parts.netloc}"
    return [
        Snippet("curl", curl_file(url, base)),
        Snippet("Python", python_file(url)),
        Snippet("JavaScript", javascript_file(url)),
        Snippet("PHP", php_file(url, base)),
    ]


def curl_file(url: str, base: str) -> str:
    """For a POSIX shell: one line to send, one to ask, one for the refused rows."""
    key = f"-H 'X-API-Key: {PLACEHOLDER}'"
    return f"""curl -i -X POST {url} \\
  {key} \\
  -H 'Content-Type: text/csv' \\
  --data-binary @{FILE}

# 202: the answer's Location says where to ask how far it is, until status is done or failed
curl {key} {base}LOCATION

# where rejected is not 0: the refused rows as they stood, with line and error
curl {key} -o refused.csv {base}LOCATION/errors
"""


def python_file(url: str) -> str:
    """With nothing but the standard library, for Python 3.8 and newer."""
    return f"""import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

url = {url!r}
key = os.environ['LEADLOOP_KEY']
with open({FILE!r}, 'rb') as file:
    data = file.read()


def ask(address, data=None, **headers):
    request = urllib.request.Request(address, data=data, headers={{'X-API-Key': key, **headers}})
    with urllib.request.urlopen(request, timeout=300) as response:
        return response.headers, response.read().decode()


try:
    once = str(uuid.uuid4())
    headers, answer = ask(url, data, **{{'Content-Type': 'text/csv', 'Idempotency-Key': once}})
    address = urllib.parse.urljoin(url, headers['Location'])
    upload = json.loads(answer)
    while upload['status'] in ('queued', 'running'):
        time.sleep(2)
        upload = json.loads(ask(address)[1])
    print(upload['status'], upload['error'], upload['recorded'], upload['unchanged'], upload['rejected'])
    if upload['errors_url']:
        print(ask(urllib.parse.urljoin(url, upload['errors_url']))[1])
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"""


def javascript_file(url: str) -> str:
    """With fetch, on a server: in a page, everybody could read the key."""
    return f"""import {{ readFile }} from "node:fs/promises";

const url = {json.dumps(url)};
const key = {{ "X-API-Key": process.env.LEADLOOP_KEY }};
const data = await readFile({json.dumps(FILE)});

const response = await fetch(url, {{
  method: "POST",
  headers: {{
    ...key,
    "Content-Type": "text/csv",
    "Idempotency-Key": crypto.randomUUID(),
  }},
  body: data,
}});
if (response.status !== 202) throw new Error(`${{response.status}} ${{await response.text()}}`);

const address = new URL(response.headers.get("Location"), url);
let upload = await response.json();
while (["queued", "running"].includes(upload.status)) {{
  await new Promise((resolve) => setTimeout(resolve, 2000));
  upload = await (await fetch(address, {{ headers: key }})).json();
}}
console.log(upload.status, upload.error, upload.recorded, upload.unchanged, upload.rejected);
if (upload.errors_url) {{
  const refused = await fetch(new URL(upload.errors_url, url), {{ headers: key }});
  console.log(await refused.text());
}}
"""


def php_file(url: str, base: str) -> str:
    """With PHP's curl extension."""
    return f"""<?php
$url = '{url}';
$base = '{base}';
$data = file_get_contents('{FILE}');

function ask(string $address, ?string $data = null, array $headers = []): array {{
    $request = curl_init($address);
    $location = '';
    curl_setopt_array($request, [
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 300,
        CURLOPT_HTTPHEADER => ['X-API-Key: ' . getenv('LEADLOOP_KEY'), ...$headers],
        CURLOPT_HEADERFUNCTION => function ($request, $line) use (&$location) {{
            if (stripos($line, 'Location:') === 0) {{
                $location = trim(substr($line, 9));
            }}
            return strlen($line);
        }},
    ]);
    if ($data !== null) {{
        curl_setopt($request, CURLOPT_POSTFIELDS, $data);
    }}
    $answer = curl_exec($request);
    return [curl_getinfo($request, CURLINFO_RESPONSE_CODE), $answer, $location];
}}

$headers = ['Content-Type: text/csv', 'Idempotency-Key: ' . bin2hex(random_bytes(16))];
[$status, $answer, $location] = ask($url, $data, $headers);
if ($status !== 202) {{
    exit("$status $answer" . PHP_EOL);
}}
$upload = json_decode($answer, true);
while (in_array($upload['status'], ['queued', 'running'])) {{
    sleep(2);
    $upload = json_decode(ask($base . $location)[1], true);
}}
echo $upload['status'], ' ', $upload['error'], ' ', $upload['recorded'], ' ', $upload['unchanged'], ' ',
    $upload['rejected'], PHP_EOL;
if ($upload['errors_url']) {{
    echo ask($base . $upload['errors_url'])[1], PHP_EOL;
}}
"""
