"""The image and the containers: no container engine is at hand, so their files are checked."""

import re
from configparser import ConfigParser
from fnmatch import fnmatch

import pytest
from definitions import (
    DOCKER,
    ROOT,
    check_bash,
    check_mlflow,
    check_node,
    pins,
    read_yaml,
    with_defaults,
)
from topology.environment import NODE

COMPOSE = read_yaml(DOCKER / "compose.yaml")[0]
SERVICES = COMPOSE["services"]
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
SECRETS = {
    "RAY_AUTH_TOKEN": {"head", "worker", "gateway"},
    "POSTGRES_PASSWORD": {"postgres", "mlflow"},
    "MLFLOW_PASSWORD": {"head", "mlflow"},
    "MLFLOW_SESSION_KEY": {"mlflow"},
    "QISKIT_IBM_TOKEN": {"gateway"},
}


def variables_of(value):
    return set(re.findall(r"(?<!\$)\$\{(\w+)", str(value)))


def test_topology():
    assert set(SERVICES) == {"head", "worker", "gateway", "mlflow", "postgres"}
    images = {SERVICES[name]["image"] for name in ("head", "worker", "gateway", "mlflow")}
    assert images == {"qhn:0.1.0"}
    assert all(re.search(r":\d+\.\d+", service["image"]) for service in SERVICES.values())
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert images == {f"qhn:{version[1]}"}


def test_image_is_pinned_to_the_python_of_the_constraints():
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", bases[0])
    target = re.search(r'target-version = "py3(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert target[1] == "11"
    assert '--constraint constraints.txt ".[cluster]"' in DOCKERFILE
    assert {"ray", "mlflow", "numba", "psycopg2-binary"} <= set(pins())
    # Nothing is installed beside the pinned packages.
    assert DOCKERFILE.count("pip install") == 1
    assert "apt-get" not in DOCKERFILE


def test_image_gives_nodes_what_scripts_give_them():
    # KubeRay starts nodes by itself, and not by cluster/head or cluster/worker.
    found = dict(re.findall(r"\b(\w+)=(\S+)", DOCKERFILE))
    assert found | NODE == found


def test_image_has_no_root_and_no_secret():
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
    assert users == ["qhn"]
    assert DOCKERFILE.index("USER qhn") < DOCKERFILE.index("ENTRYPOINT")
    assert "ARG" not in DOCKERFILE
    assert not re.search(r"PASSWORD|RAY_AUTH_TOKEN|SECRET|_KEY=", DOCKERFILE)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    copied = re.findall(r"^COPY (?!--from)(.+)", DOCKERFILE, re.MULTILINE)
    sources = {source for line in copied for source in line.split()[:-1]}
    assert sources == {line[1:] for line in ignored if line.startswith("!")}
    assert all((ROOT / source).exists() for source in sources)


def test_code_is_compiled_for_a_baseline_in_the_image_and_for_the_processor_at_start():
    assert "NUMBA_CPU_NAME=generic python -m qhn.core.warmup" in DOCKERFILE
    assert DOCKERFILE.index("touch --date=@") < DOCKERFILE.index("qhn.core.warmup")
    assert "NUMBA_CPU_NAME" not in re.sub(r"^#.*|^RUN.*", "", DOCKERFILE, flags=re.MULTILINE)
    start = DOCKER / "start"
    check_bash(start)
    assert "python -m qhn.core.warmup" in start.read_text()
    assert start.read_text().rstrip().endswith('exec "$@"')


@pytest.mark.parametrize("name", ["head", "worker", "gateway"])
def test_nodes_have_real_commands(name):
    command = [with_defaults(word) for word in SERVICES[name]["command"]]
    assert (ROOT / command[0]).exists()
    parsed = check_node(command)
    assert parsed.lanes == (["qpu=4"] if name == "gateway" else [])
    if name == "gateway":
        assert parsed.cpus == 0
    if name != "head":
        assert parsed.address == "head:6379"


def test_mlflow_has_a_real_command_asks_for_passwords_and_proxies_artifacts():
    program, *options = SERVICES["mlflow"]["command"]
    assert program == "mlflow"
    check_mlflow(options)
    assert options[options.index("--app-name") + 1] == "basic-auth"
    assert "--artifacts-destination" in options
    assert "--no-serve-artifacts" not in options
    environment = SERVICES["mlflow"]["environment"]
    users = ConfigParser()
    users.read(DOCKER / "mlflow.ini")
    assert users["mlflow"]["default_permission"] == "NO_PERMISSIONS"
    assert users["mlflow"]["admin_username"] == environment["MLFLOW_AUTH_ADMIN_USERNAME"]
    assert users["mlflow"]["database_uri"].endswith("@postgres/mlflow_auth")
    assert "CREATE DATABASE mlflow_auth" in (DOCKER / "postgres.sql").read_text()
    assert SERVICES["head"]["environment"]["MLFLOW_TRACKING_USERNAME"] == "qhn"


def test_mlflow_takes_requests_by_the_names_at_which_it_is_found():
    options = SERVICES["mlflow"]["command"]
    text = options[options.index("--allowed-hosts") + 1]
    allowed = with_defaults(text, {"QHN_PUBLISH": "203.0.113.7"}).split(",")
    tracking = SERVICES["head"]["environment"]["MLFLOW_TRACKING_URI"].removeprefix("http://")
    for host in (tracking, "127.0.0.1:5000", "localhost:5000", "203.0.113.7:5000"):
        assert any(fnmatch(host, pattern) for pattern in allowed), host
    assert not any(fnmatch("example.org:5000", pattern) for pattern in allowed)


def test_each_service_is_healthy_by_a_real_command():
    for name, service in SERVICES.items():
        kind, *command = service["healthcheck"]["test"]
        assert kind == "CMD"
        text = " ".join(command)
        if name == "postgres":
            assert command[0] == "pg_isready"
        else:
            assert "/opt/qhn/docker/healthy http://" in text
    assert (DOCKER / "healthy").stat().st_mode & 0o111


def test_ports_are_published_on_loopback_unless_asked_otherwise():
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    for port in published:
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", with_defaults(port))
    example = (DOCKER / ".env.example").read_text()
    assert "QHN_PUBLISH=127.0.0.1\n" in example


def test_example_names_the_variables_that_are_used_and_has_no_secret():
    example = dict(
        line.split("=", 1)
        for line in (DOCKER / ".env.example").read_text().splitlines()
        if not line.startswith("#")
    )
    assert set(example) == variables_of(SERVICES)
    assert {name for name, value in example.items() if not value} == set(SECRETS)


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_reach_only_who_needs_them_by_the_environment(secret):
    having = {name for name, service in SERVICES.items() if secret in variables_of(service)}
    assert having == SECRETS[secret]
    for service in SERVICES.values():
        outside = {key: value for key, value in service.items() if key != "environment"}
        assert secret not in variables_of(outside)


def test_containers_may_not_get_more_rights():
    for name, service in SERVICES.items():
        assert "no-new-privileges:true" in service["security_opt"]
        assert not service.get("privileged")
        assert service.get("network_mode") != "host"
        if name != "postgres":
            assert service["cap_drop"] == ["ALL"]
