"""The S3 server answers only to requests that are signed with its key."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from topology.signatures import Signed

KEY, SECRET = "AKIATEST", "correct horse"
BODY = b"some content"


def served(environ):
    """The status with which a request is answered, and the content that came through."""
    seen, status = [], []

    def application(environ, start_response):
        seen.append(environ["wsgi.input"].read())
        start_response("200 OK", [])
        return [b""]

    list(Signed(application, KEY, SECRET)(environ, lambda line, _: status.append(line)))
    return status[0], seen


def signed(key=KEY, secret=SECRET, body=BODY, method="PUT", path="/qhn/a%20b?x-id=PutObject"):
    """A request as a client signs it, and as a server sees it."""
    request = AWSRequest(method, f"http://127.0.0.1:5000{path}", {"Host": "127.0.0.1:5000"}, body)
    S3SigV4Auth(Credentials(key, secret), "s3", "us-east-1").add_auth(request)
    environ = {
        "REQUEST_METHOD": method,
        "RAW_URI": path,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    for name, value in request.headers.items():
        environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    return environ


def test_a_signed_request_passes_with_its_content():
    assert served(signed()) == ("200 OK", [BODY])


@pytest.mark.parametrize(
    "change",
    [
        {"RAW_URI": "/qhn/another?x-id=PutObject"},
        {"RAW_URI": "/moto-api/reset"},
        {"REQUEST_METHOD": "DELETE"},
        {"HTTP_HOST": "127.0.0.1:5001"},
        {"HTTP_AUTHORIZATION": ""},
        {"HTTP_AUTHORIZATION": "Bearer token"},
        {"HTTP_X_AMZ_DATE": "yesterday"},
        {"HTTP_X_AMZ_CONTENT_SHA256": "UNSIGNED-PAYLOAD"},
        {"wsgi.input": io.BytesIO(b"some c0ntent")},
    ],
)
def test_a_request_that_was_changed_is_refused(change):
    assert served(signed() | change) == ("403 Forbidden", [])


@pytest.mark.parametrize("wrong", [{"key": "AKIAOTHER"}, {"secret": "wrong"}])
def test_another_key_is_refused(wrong):
    assert served(signed(**wrong)) == ("403 Forbidden", [])


def test_an_old_request_is_refused(monkeypatch):
    for minutes, status in ((14, "200 OK"), (16, "403 Forbidden")):
        then = datetime.now(UTC) - timedelta(minutes=minutes)
        monkeypatch.setattr("botocore.auth.get_current_datetime", lambda then=then: then)
        assert served(signed())[0] == status


def test_what_was_not_signed_does_not_count():
    environ = signed()
    environ["HTTP_AUTHORIZATION"] = environ["HTTP_AUTHORIZATION"].replace("host;", "")
    assert served(environ) == ("403 Forbidden", [])
