"""Nobody gets in without the secrets of a cluster, and nothing listens beyond this machine."""

import base64
import json
import urllib.error
import urllib.request
from ipaddress import ip_address

import grpc
import psutil
import psycopg2
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import Session

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

NODES = ("head", "gateway", "worker-1")
# What Ray's services are asked for. No message is the same as one without any field.
GRPC = {
    "gcs": "/ray.rpc.NodeInfoGcsService/GetAllNodeInfo",
    "node-manager": "/ray.rpc.NodeManagerService/GetNodeStats",
    "dashboard-agent-grpc": "/ray.rpc.LogService/ListLogs",
}


def get(url, **headers):
    """The status of an answer."""
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def call(port, method, *metadata):
    """The status of an answer of one of Ray's services."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ask = channel.unary_unary(method, lambda sent: sent, lambda got: got)
        try:
            ask(b"", metadata=metadata, timeout=30)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


@pytest.fixture(scope="module")
def ports(local_cluster):
    return {name: part["ports"] for name, part in local_cluster.status().items()}


@pytest.fixture(scope="module")
def token(local_cluster):
    return f"Bearer {local_cluster.secrets['ray']}"


def test_the_job_server_and_the_dashboard_ask_for_the_token(ports, token, local_cluster):
    address = local_cluster.environment["QHN_ADDRESS"]
    assert address == f"http://127.0.0.1:{ports['head']['dashboard']}"
    for path in ("/api/jobs/", "/api/version", "/nodes?view=summary", "/api/v0/actors", "/logs/"):
        assert get(address + path) == 401
        assert get(address + path, Authorization="Bearer wrong") in (401, 403)
    for path in ("/api/jobs/", "/api/version"):
        assert get(address + path, Authorization=token) == 200


@pytest.mark.parametrize("node", NODES)
def test_the_agents_of_each_node_ask_for_the_token(ports, node):
    for port in ("dashboard-agent-listen", "runtime-env-agent"):
        url = f"http://127.0.0.1:{ports[node][port]}"
        assert get(f"{url}/api/job_agent/jobs/x/logs") == 401
        assert get(f"{url}/get_or_create_runtime_env") == 401


@pytest.mark.parametrize("node", NODES)
def test_rays_services_ask_for_the_token(ports, token, node):
    for port, method in GRPC.items():
        if port in ports[node]:
            refused = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
            assert call(ports[node][port], method) in refused
            assert call(ports[node][port], method, ("authorization", "Bearer x")) in refused
            answer = call(ports[node][port], method, ("authorization", token))
            assert answer not in refused


def test_rays_client_is_off(local_cluster):
    lines = [" ".join(process.cmdline()) for process in local_cluster.processes()]
    assert any("gcs_server" in line for line in lines)
    assert not [line for line in lines if "ray.util.client" in line]


def test_mlflow_asks_for_the_password(local_cluster):
    client = local_cluster.environment
    url = f"{client['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/experiments/search?max_results=1"
    user, password = client["MLFLOW_TRACKING_USERNAME"], client["MLFLOW_TRACKING_PASSWORD"]
    assert get(url) == 401
    assert get(url, Authorization=basic(user, "wrong")) == 401
    assert get(url, Authorization=basic("admin", "password1234")) == 401
    assert get(url, Authorization=basic(user, password)) == 200
    assert get(f"{client['MLFLOW_TRACKING_URI']}/api/2.0/mlflow-artifacts/artifacts") == 401


def test_postgresql_asks_for_the_password(ports, local_cluster):
    def connect(user, password):
        place = {"host": "127.0.0.1", "port": ports["postgres"]["sql"], "dbname": "mlflow"}
        psycopg2.connect(user=user, password=password, passfile="/dev/null", **place).close()

    for user in ("mlflow", "postgres", "root"):
        for password in (None, "", user, "wrong"):
            with pytest.raises(psycopg2.OperationalError, match="password"):
                connect(user, password)
    connect("mlflow", local_cluster.secrets["postgres"])


def test_s3_asks_for_a_signature(local_cluster):
    client = local_cluster.environment
    address = client["AWS_ENDPOINT_URL_S3"]
    for path in ("/", "/qhn", "/qhn/store/x", "/moto-api/", "/moto-api/data.json"):
        assert get(address + path) == 403

    def keys(secret):
        s3 = Session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=address,
            aws_access_key_id=client["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=secret,
            config=Config(proxies={}),
        )
        try:
            s3.put_object(Bucket="qhn", Key="test/a b+c", Body=b"content")
            return s3.get_object(Bucket="qhn", Key="test/a b+c")["Body"].read()
        finally:
            s3.close()

    with pytest.raises(ClientError, match="AccessDenied"):
        keys("wrong")
    assert keys(client["AWS_SECRET_ACCESS_KEY"]) == b"content"


def beyond(processes):
    """What processes listen on that others than this machine can reach."""
    found, loopback = [], 0
    for process in processes:
        try:
            connections = process.net_connections("inet")
        except psutil.NoSuchProcess:
            continue
        for connection in connections:
            if connection.status == "LISTEN" or connection.type.name == "SOCK_DGRAM":
                address = ip_address(connection.laddr.ip)
                address = getattr(address, "ipv4_mapped", None) or address
                loopback += address.is_loopback
                if not address.is_loopback:
                    found.append((process.cmdline(), connection.laddr))
    return found, loopback


def test_nothing_listens_beyond_this_machine(local_cluster, ports):
    found, loopback = beyond(local_cluster.processes())
    assert found == []
    assert loopback >= sum(map(len, ports.values())) - len(NODES)  # no node tells of metrics


def test_the_folder_and_its_secrets_are_private(local_cluster):
    mode = local_cluster.folder.stat().st_mode & 0o777
    assert mode in (0o700, 0o710)
    for path in local_cluster.folder.iterdir():
        assert not path.stat().st_mode & 0o077, path
    state = json.loads((local_cluster.folder / "state.json").read_text())
    assert not [secret for secret in local_cluster.secrets.values() if secret in json.dumps(state)]
