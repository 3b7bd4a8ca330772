"""Who may call our webhooks: whoever signs with one of our Auth Tokens. Refused by default, for every route but a short list."""

import re
from collections.abc import Collection
from urllib.parse import quote

from flask import Flask, Response, request
from twilio.request_validator import RequestValidator

OPEN = frozenset({"healthz", "sounds.sound"})  # endpoints that hold nothing of anybody's


def guard(app: Flask, base_url: str, account_sid: str, tokens: Collection[str], open_endpoints: Collection[str] = OPEN) -> None:
    """Check the signature of every request before its route sees it: 403 if it is not the provider's."""
    validators = [RequestValidator(token) for token in tokens]

    @app.before_request
    def refuse_strangers() -> Response | None:
        if request.endpoint in open_endpoints:
            return None
        signature = request.headers.get("X-Twilio-Signature", "")
        url = base_url + _raw_path_and_query()
        fields = request.form  # reading it refuses a body that is too large (413)
        signed = any(validator.validate(url, fields, signature) for validator in validators)
        if signed and fields.get("AccountSid", account_sid) == account_sid:
            return None
        return Response("not signed by the provider of this line\n", status=403, mimetype="text/plain")


def _raw_path_and_query() -> str:
    """As the provider sent and signed it: ``request.url`` is decoded for people, and its signature would fail."""
    raw = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI")
    if raw:
        return re.sub(r"^https?://[^/?#]*", "", str(raw))
    query = request.query_string.decode("latin-1")
    return quote(request.path) + (f"?{query}" if query else "")
