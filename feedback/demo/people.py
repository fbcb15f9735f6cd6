"""Consumers who do not exist: names, addresses of example domains, numbers kept for fiction. Pure."""

from __future__ import annotations

import random
from typing import Any

FIRST_NAMES = (
    "Maria James Lena Tom Ana Peter Grace Ivan Aisha Daniel Sofia Marcus Chloe Ravi Hannah Luis Emily "
    "Kwame Nina Oscar Priya Felix Julia Andre Ruth Samuel Zoe Victor Elena Kevin Fatima Brian Naomi "
    "Diego Laura Ahmed Megan Paul Ingrid Carlos Tessa Jerome Wendy Hugo Alice Trevor Yuki Simon Dolores "
    "Nathan Bianca Eric Leila Walter"
).split()
LAST_NAMES = (
    "Keller Okafor Fischer Brandt Souza Lind Hall Petrov Rahman Novak Garcia Thompson Nguyen Silva "
    "Becker Morales Johansson Osei Patel Romano Carter Dubois Ellis Farrow Gupta Hughes Ito Jensen "
    "Kaminski Larsen Mbeki Nakamura Ortega Pruitt Quinn Rossi Sandoval Tran Ueda Vargas Walsh Xiong "
    "Yates Zimmer Abbott Bishop Castro Delgado Emerson Foster Griffin Holloway Irving Jacobs Knight "
    "Lowell Mercer Norton Olsen Pierce"
).split()
DOMAINS = ("example.com", "example.org", "example.net")
AREA_CODES = (
    "201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228 229 231 234 239 "
    "240 248 251 252 253 254 256 260 262 267 269 270 276 281 301 302 303 304 305 307 308 309 310 312 "
    "313 314 315 316 317 318 319 320 321 323 325 330 334 336 337 339 347 351 352 360 361 386 401 402 "
    "404 405 406 407 408 409 410 412 413 414 415 417 419 423 425 430 432 434 435 440 443 469 478 479 "
    "480 484 501 502 503 504 505 507 508 509 510 512 513 515 516 517 518 520 530 540 541 551 559 561 "
    "562 563 567 570 571 573 574 575 580 585 586 601 602 603 605 606 607 608 609 610"
).split()
STATES = "AZ CA CO FL GA IL MA MI NC NJ NM NV NY OH OR PA TX UT VA WA".split()


def consumer(rng: random.Random, number: int, preset: str) -> dict[str, Any]:
    """A lead as a source sends it. Its e-mail and, for 14,000 numbers in a row, its phone are its own."""
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    return {
        "first_name": first,
        "last_name": last,
        "email": f"{_local_part(rng, first, last)}{number}@{rng.choice(DOMAINS)}",
        "phone": phone(number),
        "state": rng.choice(STATES),
        **DETAILS[preset](rng),
    }


def phone(number: int) -> str:
    """One of 14,000 numbers of the form (512) 555-0123; 555-0100 to 0199 belong to nobody."""
    area, line = AREA_CODES[number // 100 % len(AREA_CODES)], number % 100
    return f"({area}) 555-01{line:02d}"


def _local_part(rng: random.Random, first: str, last: str) -> str:
    shape = rng.choice(("{f}.{l}", "{f}{l}", "{i}.{l}", "{f}_{l}", "{l}.{f}"))
    return shape.format(f=first.lower(), l=last.lower(), i=first[0].lower())


def _driver(rng: random.Random) -> dict[str, Any]:
    return {
        "vehicle_year": rng.randint(2006, 2025),
        "vehicle_make": rng.choice(("Toyota", "Ford", "Honda", "Chevrolet", "Subaru", "Hyundai")),
        "currently_insured": rng.random() < 0.7,
    }


def _home_owner(rng: random.Random) -> dict[str, Any]:
    return {
        "monthly_bill": rng.choice((90, 120, 150, 180, 220, 280, 350)),
        "roof_type": rng.choice(("asphalt", "tile", "metal", "flat")),
        "shade": rng.choice(("none", "some", "much")),
    }


def _borrower(rng: random.Random) -> dict[str, Any]:
    return {
        "property_value": rng.randrange(180_000, 900_000, 5_000),
        "loan_purpose": rng.choice(("purchase", "refinance", "home_equity")),
        "credit_band": rng.choice(("excellent", "good", "fair")),
    }


DETAILS = {"insurance": _driver, "solar": _home_owner, "mortgage": _borrower}
