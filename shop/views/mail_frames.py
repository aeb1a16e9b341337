"""A mail's HTML in a frame of a page of ours: with its inline styles, and without anything else."""

from csp.constants import SELF
from django.http import HttpResponse

#: What the policy of the page around the frame allows besides.
AROUND_A_FRAME = {"frame-src": [SELF]}
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


def mail_frame(html: str) -> HttpResponse:
    """A mail as a document of its own; its links open beside the page, for our pages refuse frames."""
    html = html.replace("<head>", '<head><base target="_blank">', 1)
    headers = {"Content-Security-Policy": _POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return HttpResponse(html, headers=headers)
