"""Who may call our webhooks: whoever signs with a secret of this line. Refused by default, for every route but a short list.

Auth Tokens sign with HMAC-SHA1 and webhook shared keys with HMAC-SHA256. Which secret goes with which is fixed by the settings:
the header in which the provider names key and algorithm is not read, as anybody could write into it.
"""

import hmac
import re
from collections.abc import Collection, Mapping
from urllib.parse import quote, urlparse

from flask import Flask, Response, request
from twilio.request_validator import HMAC_SHA1, HMAC_SHA256, RequestValidator, add_port, remove_port

# Endpoints that hold nothing of anybody's, and the pages that only a token of 256 bits opens.
PAGES = frozenset({"pages.mail", "pages.mail_done", "pages.yes", "pages.yes_done", "pages.delete", "pages.delete_done"})
OPEN = frozenset({"healthz", "sounds.sound", *PAGES})
FORM = "application/x-www-form-urlencoded"


def guard(
    app: Flask,
    base_url: str,
    account_sid: str,
    tokens: Collection[str],
    shared_keys: Collection[str] = (),
    open_endpoints: Collection[str] = OPEN,
) -> None:
    """Check the signature of every request before its route sees it: 403 if it is not the provider's, 400 if a field comes twice."""
    validators = [(RequestValidator(token), HMAC_SHA1) for token in tokens]
    validators += [(RequestValidator(key), HMAC_SHA256) for key in shared_keys]
    bases = {add_port(urlparse(base_url)), remove_port(urlparse(base_url))}  # the provider signs the one or the other

    def is_signed(path: str, fields: Mapping[str, str], signature: bytes) -> bool:
        right = [validator.compute_signature(base + path, fields, kind) for validator, kind in validators for base in bases]
        return any([hmac.compare_digest(one.encode(), signature) for one in right])  # noqa: C419 - all: the time tells nothing

    @app.before_request
    def refuse_strangers() -> Response | None:
        if app.debug:  # its error pages show code and values, and run what is typed into them
            return _refused("this line does not serve in debug mode: leave out FLASK_DEBUG", 503)
        if request.endpoint in open_endpoints:
            return None
        fields = request.form  # reading it refuses a body that is too large (413)
        signature = request.headers.get("X-Twilio-Signature", "").encode()
        signed = request.mimetype in (FORM, "") and is_signed(_raw_path_and_query(), fields, signature)
        if not signed or fields.get("AccountSid", account_sid) != account_sid:
            return _refused("not signed by the provider of this line", 403)
        # Two values of one field are signed as one, in no order: what the signature is for would be ours to guess.
        if any(len(values) > 1 for each in (fields, request.args) for _, values in each.lists()):
            return _refused("a field comes twice", 400)
        return None


def _refused(reason: str, code: int) -> Response:
    return Response(reason + "\n", status=code, mimetype="text/plain")


def _raw_path_and_query() -> str:
    """As the provider sent and signed it: ``request.url`` is decoded for people, and its signature would fail."""
    raw = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI")
    if raw:
        return re.sub(r"^https?://[^/?#]*", "", str(raw))
    query = request.query_string.decode("latin-1")
    return quote(request.path) + (f"?{query}" if query else "")
