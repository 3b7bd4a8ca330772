"""What holds for every response of the web process: headers that forbid what no page needs, and at most one line in the log."""

import logging
import time

from flask import Flask, Response, g, request

log = logging.getLogger(__name__)

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
HTTPS_ONLY = "max-age=31536000"


def finish(app: Flask, *, https: bool, access_log: bool) -> None:
    """A route that sets one of HEADERS itself keeps its own. ``https``: the line is reached by https alone.

    ``access_log``: a line for every response, not only for what failed here. It names the endpoint, never the address or its query.
    """

    @app.before_request
    def begin() -> None:
        g.began = time.monotonic()

    @app.after_request
    def end(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if https:
            response.headers.setdefault("Strict-Transport-Security", HTTPS_ONLY)
        took = round((time.monotonic() - g.began) * 1000)
        fields = {"method": request.method, "endpoint": request.endpoint, "code": response.status_code, "ms": took}
        if response.status_code >= 500:
            log.warning("%(method)s %(endpoint)s answered %(code)d in %(ms)d ms", fields)
        elif access_log:
            log.info("%(method)s %(endpoint)s answered %(code)d in %(ms)d ms", fields)
        return response
