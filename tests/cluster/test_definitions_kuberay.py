"""The manifests for KubeRay, without a Kubernetes: against schemas, and with Ray's own reader."""

import copy
import json
import shlex
import subprocess

import pytest
from definitions import CLUSTER, DOCKER, ROOT, check_qhn, check_ray, pins, read_yaml
from jsonschema import Draft202012Validator, ValidationError
from kuberay_schema import NETWORK_POLICY, RAY_CLUSTER, RAY_JOB

FOLDER = CLUSTER / "kuberay"
CLUSTER_FILE = read_yaml(FOLDER / "raycluster.yaml")[0]
JOB = read_yaml(FOLDER / "rayjob.yaml")[0]
POLICY = read_yaml(FOLDER / "network-policy.yaml")[0]
SPEC = CLUSTER_FILE["spec"]
GROUPS = {group["groupName"]: group for group in SPEC["workerGroupSpecs"]}
NODES = {"head": SPEC["headGroupSpec"], **GROUPS}


def container(node):
    (only,) = NODES[node]["template"]["spec"]["containers"]
    return only


def secrets_of(one):
    by_reference = {
        item["valueFrom"]["secretKeyRef"]["name"]
        for item in one.get("env", [])
        if "valueFrom" in item
    }
    whole = {item["secretRef"]["name"] for item in one.get("envFrom", []) if "secretRef" in item}
    return by_reference | whole


@pytest.mark.parametrize(
    ("found", "schema"), [(CLUSTER_FILE, RAY_CLUSTER), (JOB, RAY_JOB), (POLICY, NETWORK_POLICY)]
)
def test_manifests_have_the_fields_of_their_kind_and_no_others(found, schema):
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(found)
    wrong = copy.deepcopy(found)
    wrong["spec"]["unknown"] = 1
    with pytest.raises(ValidationError):
        Draft202012Validator(schema).validate(wrong)


def test_versions_agree():
    assert SPEC["rayVersion"] == pins()["ray"]
    image = read_yaml(DOCKER / "compose.yaml")[0]["services"]["head"]["image"]
    images = {container(node)["image"] for node in NODES}
    images |= {one["image"] for one in JOB["spec"]["submitterPodTemplate"]["spec"]["containers"]}
    assert images == {image}


def test_ray_itself_reads_the_groups():
    """By the function of Ray's autoscaler that reads a `RayCluster`."""
    from ray.autoscaler._private.kuberay import autoscaling_config

    named = copy.deepcopy(CLUSTER_FILE)
    named["metadata"]["namespace"] = "default"
    types = autoscaling_config._derive_autoscaling_config_from_ray_cr(named)["available_node_types"]
    found = {name: kind["resources"] for name, kind in types.items()}
    assert found["headgroup"]["CPU"] == 0
    assert found["simulators"] == {"CPU": 4, "memory": 8 * 2**30}
    assert found["gateway"] == {"CPU": 0, "memory": 4 * 2**30, "lane:qpu": 4}
    assert types["simulators"]["min_workers"] == 0
    assert types["simulators"]["max_workers"] > 1
    assert types["gateway"]["min_workers"] == types["gateway"]["max_workers"] == 1


@pytest.mark.parametrize("node", NODES)
def test_ray_starts_with_real_options(node):
    """KubeRay writes the parameters into a command of a shell, as this test does."""
    params = NODES[node]["rayStartParams"]
    line = "ray start " + " ".join(f"--{name}={value}" for name, value in params.items())
    shown = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {line}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    words = shown.stdout.splitlines()
    check_ray(words[1:])
    resources = [word.partition("=")[2] for word in words if word.startswith("--resources=")]
    assert [json.loads(text) for text in resources] == (
        [{"lane:qpu": 4}] if node == "gateway" else []
    )


@pytest.mark.parametrize("node", NODES)
def test_command_of_ray_becomes_the_first_process_with_its_quotes(node, tmp_path):
    one = container(node)
    assert one["command"] == ["/opt/qhn/docker/start"]
    assert CLUSTER_FILE["metadata"]["annotations"]["ray.io/overwrite-container-cmd"] == "true"
    ray = tmp_path / "ray"
    ray.write_text('#!/bin/sh\necho "$$ $2"\n')
    ray.chmod(0o755)
    process = subprocess.Popen(
        one["args"],
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "KUBERAY_GEN_RAY_START_CMD": r'ray start --resources="{\"lane:qpu\": 4}"',
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    shown, _ = process.communicate(timeout=20)
    assert shown.strip() == f'{process.pid} --resources={{"lane:qpu": 4}}'


def test_only_the_gateway_has_the_resource_and_the_secret_of_the_provider():
    assert [node for node in NODES if "lane:" in str(NODES[node]["rayStartParams"])] == ["gateway"]
    assert [node for node in NODES if "qhn-provider" in str(NODES[node])] == ["gateway"]
    assert secrets_of(container("gateway")) == {"qhn-store", "qhn-provider"}
    # Workers never write to MLflow, and need no password of it.
    assert secrets_of(container("simulators")) == {"qhn-store"}
    assert secrets_of(container("head")) == {"qhn-store", "qhn-tracking"}


def test_secrets_are_references_only():
    assert SPEC["authOptions"] == {"mode": "token"}
    for found in (CLUSTER_FILE, JOB):
        assert '"kind": "Secret"' not in json.dumps(found)
    values = [item for node in NODES for item in container(node).get("env", []) if "value" in item]
    assert values == []


def test_nothing_is_reachable_from_outside():
    assert SPEC["headGroupSpec"]["serviceType"] == "ClusterIP"
    name = CLUSTER_FILE["metadata"]["name"]
    assert POLICY["spec"]["podSelector"]["matchLabels"] == {"ray.io/cluster": name}
    assert JOB["spec"]["clusterSelector"] == {"ray.io/cluster": name}
    for text in (FOLDER / "raycluster.yaml").read_text().splitlines():
        assert "hostNetwork" not in text
        assert "hostPort" not in text
    submitter = JOB["spec"]["submitterPodTemplate"]["metadata"]["labels"]
    allowed = [
        peer.get("podSelector", {}).get("matchLabels")
        for rule in POLICY["spec"]["ingress"]
        for peer in rule["from"]
    ]
    assert submitter in allowed
    assert None not in allowed


@pytest.mark.parametrize("node", NODES)
def test_pods_are_watched(node):
    one = container(node)
    assert one["livenessProbe"]["httpGet"] == {"path": "/api/healthz", "port": 52365}
    assert one["readinessProbe"]["httpGet"]["port"] == (8265 if node == "head" else 52365)
    grace = NODES[node]["template"]["spec"].get("terminationGracePeriodSeconds", 30)
    assert grace > 2 * 10


def test_job_runs_a_real_command():
    program, *arguments = shlex.split(JOB["spec"]["entrypoint"])
    assert program == "qhn"
    check_qhn(arguments)
    mounted = container("head")["volumeMounts"][0]["mountPath"]
    file = arguments[2]
    assert file.startswith(f"{mounted}/")
    assert (ROOT / "sweeps" / file.removeprefix(f"{mounted}/")).exists()
    (submitter,) = JOB["spec"]["submitterPodTemplate"]["spec"]["containers"]
    assert submitter["env"][1]["valueFrom"]["secretKeyRef"] == {"name": "qhn", "key": "auth_token"}
