"""Lets only requests pass that are signed with a certain key, by Amazon's signature version 4.

moto takes whatever signature it gets. Its own check knows users, roles and policies, and leaves out
the parts of it that are not Amazon's, such as the one that deletes everything.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/,\s]+)/(?P<day>\d{8})/(?P<region>[^/,\s]+)/s3/"
    r"aws4_request, ?SignedHeaders=(?P<headers>[^,\s]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_DATE = "%Y%m%dT%H%M%SZ"
# As long as Amazon accepts a request after it was signed.
_VALID = timedelta(minutes=15)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_REFUSAL = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
#: An application by the standard WSGI.
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Signed:
    """An application that answers only to signed requests.

    Args:
        application: answers requests that are signed.
        key_id: the access key.
        secret: its secret.
    """

    def __init__(self, application: Application, key_id: str, secret: str) -> None:
        self._application = application
        self._credentials = Credentials(key_id, secret)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer a request."""
        if self._is_signed(environ) and _has_its_content(environ):
            return self._application(environ, start_response)
        headers = [
            ("Content-Type", "application/xml"),
            ("Content-Length", str(len(_REFUSAL))),
            # What the request has sent was not read, and must not be taken for the next one.
            ("Connection", "close"),
        ]
        start_response("403 Forbidden", headers)
        return [_REFUSAL]

    def _is_signed(self, environ: dict[str, Any]) -> bool:
        found = _AUTHORIZATION.fullmatch(environ.get("HTTP_AUTHORIZATION", ""))
        date = environ.get("HTTP_X_AMZ_DATE", "")
        if found is None or found["id"] != self._credentials.access_key:
            return False
        names = found["headers"].split(";")
        if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names):
            return False
        try:
            age = datetime.now(UTC) - datetime.strptime(date, _DATE).replace(tzinfo=UTC)
        except ValueError:
            return False
        if abs(age) > _VALID or found["day"] != date[:8]:
            return False
        headers = {name: _header(environ, name) for name in names}
        request = AWSRequest(
            environ["REQUEST_METHOD"], f"http://{headers['host']}{environ['RAW_URI']}", headers
        )
        request.context["timestamp"] = date
        signer = S3SigV4Auth(self._credentials, "s3", found["region"])
        text = signer.string_to_sign(request, signer.canonical_request(request))
        return hmac.compare_digest(signer.signature(text, request), found["signature"])


def _header(environ: dict[str, Any], name: str) -> str:
    key = name.upper().replace("-", "_")
    key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
    return str(environ.get(key, ""))


def _has_its_content(environ: dict[str, Any]) -> bool:
    """Whether the content of a request is what was signed, if its digest was."""
    digest = environ["HTTP_X_AMZ_CONTENT_SHA256"]
    if not _DIGEST.fullmatch(digest):  # it was sent in parts, or its sender did not sign it
        return True
    length = environ.get("CONTENT_LENGTH") or ""
    content = environ["wsgi.input"].read(int(length)) if length.isdecimal() else b""
    environ["wsgi.input"] = io.BytesIO(content)
    return hmac.compare_digest(hashlib.sha256(content).hexdigest(), digest)
