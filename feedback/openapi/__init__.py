"""``GET /flows/{flow_id}/openapi.json``: what a key may do on a flow, written from the code that does it."""

from django.http import HttpResponse

from feedback.openapi.document import document
from flows.http import ApiCall, endpoint, json_response

__all__ = ["document", "get_openapi", "openapi"]


def get_openapi(call: ApiCall) -> HttpResponse:
    """The OpenAPI 3.1 document."""
    return json_response(200, document(call))


openapi = endpoint("any", GET=get_openapi)
