"""Objects at an address ``s3://bucket/prefix``, on every server that speaks this protocol.

botocore is used itself, and not through fsspec or pyarrow: neither of them has writes that happen
only if a tag is still the expected one. Its clients can be used by many threads at once, wait
longer and longer, by chance, between attempts at what has failed, and are made anew in each
process. Credentials, endpoint and all other settings come from botocore's own variables and files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import botocore.config
import botocore.session
from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

from qhn.core.errors import StoreError
from qhn.sweeps.store.backend import is_name
from qhn.sweeps.store.objects import Found, Item
from qhn.sweeps.store.s3_errors import store_error

# How many contents are fetched at a time.
_AT_ONCE = 16
# How many contents one request can delete.
_MOST_DELETED = 1000
# With the pauses of botocore's standard mode, 5 attempts take 8 s on average, and 15 s at most.
_RETRIES = {"mode": "standard", "total_max_attempts": 5}
# The names that S3 allows, and those with capitals and underscores, which were allowed once.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
# What a server answers if the content has another tag, is not there, or is being written.
_NOT_HELD = ("PreconditionFailed", "412", "NoSuchKey", "404", "ConditionalRequestConflict")
_NOT_THERE = ("NoSuchKey", "404")

# The client of this process, and what it was made from.
_clients: dict[str, tuple[object, Any]] = {}


class S3Objects:
    """See `Objects`.

    Args:
        bucket: the name of the bucket.
        prefix: what stands before every key; empty, or a text that ends with ``/``.
    """

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._looks_at_conditions: int | None = None

    def read(self, key: str) -> Found | None:
        """See `Objects.read`."""
        try:
            with store_error(self._bucket, "readable", _NOT_THERE):
                try:
                    return self._get(key)
                except (HTTPClientError, IncompleteReadError):
                    # botocore tries again what was not answered, and not what broke off.
                    return self._get(key)
        except ClientError:
            return None

    def _get(self, key: str) -> Found:
        answer = _client().get_object(Bucket=self._bucket, Key=self._prefix + key)
        return Found(answer["Body"].read(), answer["ETag"], _age_s(answer))

    def read_many(self, keys: Sequence[str]) -> dict[str, Found]:
        """See `Objects.read_many`."""
        if len(keys) <= 1:
            found = [self.read(key) for key in keys]
        else:
            with ThreadPoolExecutor(min(_AT_ONCE, len(keys))) as pool:
                found = list(pool.map(self.read, keys))
        return {key: there for key, there in zip(keys, found, strict=True) if there is not None}

    def write(self, key: str, content: bytes) -> str:
        """See `Objects.write`."""
        with store_error(self._bucket, "writable", ()):
            answer = _client().put_object(Bucket=self._bucket, Key=self._prefix + key, Body=content)
        return str(answer["ETag"])

    def write_if(self, key: str, content: bytes, tag: str | None) -> str | None:
        """See `Objects.write_if`."""
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        try:
            with store_error(self._bucket, "writable", _NOT_HELD):
                answer = _client().put_object(
                    Bucket=self._bucket, Key=self._prefix + key, Body=content, **condition
                )
        except ClientError:
            return None
        return str(answer["ETag"])

    def check_conditions(self, key: str) -> None:
        """See `Objects.check_conditions`. This takes one request in each process."""
        if self._looks_at_conditions == os.getpid():
            return
        # No content has this tag, so a server that looks at it writes nothing.
        if self.write_if(f"{key}.tmp", b"", '"00000000000000000000000000000000"') is not None:
            self.delete([f"{key}.tmp"])
            raise StoreError(
                "the server of a store at s3:// must support conditional writes (If-Match), since "
                f"its locks are made of them, but that of the bucket {self._bucket!r} does not; "
                "use one that does, such as Amazon S3 or MinIO, or a folder"
            )
        self._looks_at_conditions = os.getpid()

    def items(self, prefix: str) -> list[Item]:
        """See `Objects.items`."""
        cut = len(self._prefix)
        return [
            Item(found["Key"][cut:], found["Size"], found["ETag"])
            for page in self._pages(prefix)
            for found in page.get("Contents", ())
        ]

    def folders(self, prefix: str) -> list[str]:
        """See `Objects.folders`."""
        cut = len(self._prefix) + len(prefix)
        return [
            found["Prefix"][cut:-1]
            for page in self._pages(prefix, Delimiter="/")
            for found in page.get("CommonPrefixes", ())
        ]

    def _pages(self, prefix: str, **how: str) -> list[dict[str, Any]]:
        with store_error(self._bucket, "readable", ()):
            lister = _client().get_paginator("list_objects_v2")
            return list(lister.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix, **how))

    def move(self, key: str, target: str) -> None:
        """See `Objects.move`."""
        source = {"Bucket": self._bucket, "Key": self._prefix + key}
        try:
            with store_error(self._bucket, "writable", _NOT_HELD):
                tag = _client().head_object(**source)["ETag"]
                _client().copy_object(
                    Bucket=self._bucket,
                    Key=self._prefix + target,
                    CopySource=source,
                    CopySourceIfMatch=tag,
                )
                _client().delete_object(**source, IfMatch=tag)
        except ClientError:
            return  # it is gone, or somebody has replaced it meanwhile

    def delete(self, keys: Iterable[str]) -> None:
        """See `Objects.delete`."""
        left = [{"Key": self._prefix + key} for key in keys]
        while left:
            some, left = left[:_MOST_DELETED], left[_MOST_DELETED:]
            with store_error(self._bucket, "writable", ()):
                answer = _client().delete_objects(
                    Bucket=self._bucket, Delete={"Objects": some, "Quiet": True}
                )
            if errors := answer.get("Errors"):
                raise StoreError(
                    f"the store must be writable, but deleting {len(errors)} objects of the bucket "
                    f"{self._bucket!r} failed ({errors[0].get('Code')}); see whether its "
                    "credentials may delete, and run this again"
                )


def parse_address(uri: str) -> tuple[str, str]:
    """The bucket and the prefix of an address, the prefix with ``/`` at its end unless it is empty.

    Raises:
        StoreError: if it is no such address. The message never shows what may be a password.
    """
    bucket, _, path = uri.removeprefix("s3://").partition("/")
    if "@" in bucket:
        raise StoreError(
            "the address of a store must have no credentials in it, but this one has; set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and name it as s3://BUCKET/PREFIX"
        )
    prefix = path.strip("/")
    if not _BUCKET.fullmatch(bucket) or any(c in uri for c in "?#"):
        raise StoreError(
            f"a store at s3:// must be named as s3://BUCKET/PREFIX, but got {uri!r}; a bucket has "
            "3 to 255 letters, digits, dots, dashes or underscores, and no address has ? or #"
        )
    if prefix and not all(map(is_name, prefix.split("/"))):
        raise StoreError(
            f"the prefix of a store must be names with / between them, but got {prefix!r}; name it "
            "as s3://BUCKET/PREFIX"
        )
    return bucket, f"{prefix}/" if prefix else ""


def _client() -> Any:
    """The client of this process: after a fork, connections cannot be shared with the parent."""
    made_from = (os.getpid(), {k: v for k, v in os.environ.items() if k.startswith("AWS_")})
    kept = _clients.get("s3")
    if kept is None or kept[0] != made_from:
        kept = _clients["s3"] = (made_from, _new_client())
    return kept[1]


def _new_client() -> Any:
    settings: dict[str, Any] = {
        # A request that hangs is tried again well before a lease is over.
        "connect_timeout": 5,
        "read_timeout": 10,
        "max_pool_connections": _AT_ONCE,
    }
    if not {"AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"} & os.environ.keys():
        settings["retries"] = _RETRIES
    if {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"} & os.environ.keys():
        # Servers other than Amazon's seldom have a host name for each bucket.
        settings["s3"] = {"addressing_style": "path"}
    session = botocore.session.Session()
    return session.create_client("s3", config=botocore.config.Config(**settings))


def _age_s(answer: dict[str, Any]) -> float:
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if date is None:
        raise StoreError(
            "the server of a store at s3:// must say what time it is (the header Date), since the "
            "age of its locks is read from its clock, but it does not; use another server, or a "
            "folder"
        )
    return float((parsedate_to_datetime(date) - answer["LastModified"]).total_seconds())
