"""Ray's launcher file for machines on premises, read by Ray itself; nothing is launched."""

import shlex

from definitions import CLUSTER, ROOT, check_node, check_ray, read_yaml

CONFIG = read_yaml(CLUSTER / "on-premises.yaml")[0]


def commands_of(line):
    """The commands of a line of the shell, each as a list of words."""
    return [shlex.split(part) for part in line.replace("\n", " ").split(";")]


def test_ray_takes_the_file():
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(CONFIG)
    validate_config(prepared)
    kind = prepared["available_node_types"][prepared["head_node_type"]]
    assert kind["min_workers"] == kind["max_workers"] == len(CONFIG["provider"]["worker_ips"])


def test_nodes_start_with_real_commands():
    stop, head = map(commands_of, CONFIG["head_start_ray_commands"])
    again, worker = map(commands_of, CONFIG["worker_start_ray_commands"])
    for (line,) in (stop, again):
        assert line[0] == "~/qhn/.venv/bin/ray"
        check_ray(line[1:])
    for line, role in ((head[-1], "head"), (worker[-1], "worker")):
        assert line[0] == f"~/qhn/cluster/{role}"
        parsed = check_node([line[0].removeprefix("~/qhn/"), *line[1:]])
        # The launcher waits for the command to return.
        assert parsed.background
        if role == "head":
            assert parsed.interface == CONFIG["provider"]["head_ip"]
            assert parsed.ray == ["--autoscaling-config=$HOME/ray_bootstrap_config.yaml"]
        else:
            assert parsed.address == "$RAY_HEAD_IP:6379"


def test_secrets_travel_in_files_of_their_own():
    mounts = CONFIG["file_mounts"]
    assert mounts["~/.ray/auth_token"] == "~/.ray/auth_token"
    assert "chmod 600 ~/.ray/auth_token ~/.config/qhn/store.env" in CONFIG["setup_commands"]
    # The password of MLflow stays on the head.
    assert "~/.config/qhn/tracking.env" not in mounts
    assert "tracking.env" not in str(CONFIG["worker_start_ray_commands"])
    assert "**/.env" in CONFIG["rsync_exclude"]


def test_machines_are_set_up_by_the_script_that_is_there():
    first = CONFIG["setup_commands"][0]
    assert first == "cd ~/qhn && scripts/setup cluster"
    assert (ROOT / "scripts" / "setup").exists()
    assert "\ncluster = [" in (ROOT / "pyproject.toml").read_text()
