"""What goes wrong with a store at an address ``s3://…``, as one message that says what to do."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.exceptions import ConnectionError as AwsConnectionError

from qhn.core.errors import StoreError

_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    ProfileNotFound,
)
_REFUSED = (
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "AccessDenied",
    "AllAccessDisabled",
    "403",
)
_TO_SET = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"


@contextmanager
def store_error(bucket: str, purpose: str, expected: Collection[str]) -> Iterator[None]:
    """Turn errors of botocore into errors of the store. No message has a credential in it.

    Args:
        bucket: the name of the bucket.
        purpose: what the store must be: readable or writable.
        expected: codes of answers that are no failures. Their errors are passed on.

    Raises:
        ClientError: if the server gave one of these answers.
        StoreError: for all other failures.
    """
    rule = f"the store in the bucket {bucket!r} must be {purpose}"
    try:
        yield
    except _NO_CREDENTIALS as error:
        raise StoreError(f"{rule}, but no credentials were found ({error}); {_TO_SET}") from None
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in expected:
            raise
        raise StoreError(f"{rule}, but {_answer(code, error)}") from None
    except (AwsConnectionError, HTTPClientError) as error:
        raise StoreError(
            f"{rule}, but {_endpoint()} does not answer ({type(error).__name__}); see whether the "
            "server runs, and whether AWS_ENDPOINT_URL_S3 (or AWS_ENDPOINT_URL) names it"
        ) from None
    except (BotoCoreError, ValueError) as error:
        # botocore raises a ValueError for an endpoint that is no address.
        raise StoreError(
            f"{rule}, but {type(error).__name__}: {_without_endpoint(str(error))}; see the "
            "variables whose names begin with AWS_"
        ) from None


def _answer(code: str, error: ClientError) -> str:
    if code == "NoSuchBucket":
        return "there is no such bucket; make it, or name another one with --store"
    if code in _REFUSED:
        return (
            f"the server refuses the credentials ({code}); {_TO_SET}, and see whether they may "
            "list the bucket, and read, write and delete in it"
        )
    if code in ("PermanentRedirect", "301", "AuthorizationHeaderMalformed"):
        return f"the bucket is in another region ({code}); set AWS_DEFAULT_REGION to its region"
    message = error.response.get("Error", {}).get("Message", "")
    return f"the server answers {code or 'with an error'} ({message}); run this again later"


def _endpoint() -> str:
    """Where the server is, without what may be a password."""
    text = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "the server"
    place = parts.netloc.rpartition("@")[2]
    return f"the server at {place}" if place else "the server"


def _without_endpoint(text: str) -> str:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        if given := os.environ.get(name):
            text = text.replace(given, f"${name}")
    return text
