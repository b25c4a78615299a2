"""A server that speaks the protocol of S3 on a free port of the loopback interface: that of moto.

moto looks at a condition and writes in two steps, between which another thread may write. Here one
request at a time is handled, so that both are one step, as the protocol has it. Requests are noted,
and can be made to fail.
"""

import threading
from collections import deque

import botocore.config
import botocore.session
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

_ERROR = b"<?xml version='1.0'?><Error><Code>%s</Code><Message>as wanted</Message></Error>"

# As the code of a failure: the answer ends in the middle.
BROKEN_OFF = b"BrokenOff"


class _Quiet(WSGIRequestHandler):
    def log_request(self, *args):
        pass


class S3Server:
    """The server.

    Attributes:
        requests: method and path with query of each request, in order.
        failures: status and code of the answers to the next requests; None for one that is handled.
        ignores_conditions: whether writes happen although their conditions do not hold.
    """

    def __init__(self):
        self.requests = []
        self.failures = deque()
        self.ignores_conditions = False
        self._handling = threading.Lock()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, True, request_handler=_Quiet)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self.environment = {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": "someone",
            "AWS_SECRET_ACCESS_KEY": "planted-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def make_bucket(self, name):
        """Make a bucket."""
        session = botocore.session.Session()
        client = session.create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.endpoint,
            aws_access_key_id="someone",
            aws_secret_access_key="planted-secret",
            config=botocore.config.Config(s3={"addressing_style": "path"}),
        )
        client.create_bucket(Bucket=name)
        client.close()

    def close(self):
        """End it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, environ, start_response):
        with self._handling:
            query = environ.get("QUERY_STRING", "")
            path = environ["PATH_INFO"] + (f"?{query}" if query else "")
            self.requests.append(f"{environ['REQUEST_METHOD']} {path}")
            failure = self.failures.popleft() if self.failures else None
            if "Credential=refused/" in environ.get("HTTP_AUTHORIZATION", ""):
                failure = ("403 Forbidden", b"InvalidAccessKeyId")
            if failure is not None:
                # The body is read, so that the client is not cut off in the middle of it.
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                status, code = failure
                if code == BROKEN_OFF:
                    start_response(status, [("Content-Length", "1000"), ("Connection", "close")])
                    return [b"the beginning of an answer"]
                start_response(status, [("Content-Type", "application/xml")])
                return [_ERROR % code]
            if self.ignores_conditions:
                environ.pop("HTTP_IF_MATCH", None)
                environ.pop("HTTP_IF_NONE_MATCH", None)
            return list(self._moto(environ, start_response))
