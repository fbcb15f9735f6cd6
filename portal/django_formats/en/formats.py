"""How dates and times are written where a page does not say otherwise: short, on a 24 hour clock."""

DATE_FORMAT = "j M Y"
DATETIME_FORMAT = "j M Y, H:i"
