"""What a person may ask of `cluster/local`, and what it says to mistakes."""

import socket
from pathlib import Path

import pytest
from topology.cluster import Cluster
from topology.errors import TopologyError
from topology.folder import opened
from topology.inventory import next_worker, part_names, port_names
from topology.options import Options, lane, variables
from topology.ports import choose, is_free


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_all_mistakes_are_told_together():
    with pytest.raises(TopologyError) as told:
        Options(workers=-1, cpus_per_worker=0, port=80, lanes={"qpu": 0})
    assert len(str(told.value).splitlines()) == 4


@pytest.mark.parametrize("text", ["qpu", "qpu=", "=2", "qpu=-1", "qpu=two"])
def test_a_lane_has_a_name_and_a_number(text):
    assert lane("qpu=2") == ("qpu", 2)
    with pytest.raises(TopologyError, match="NAME=N"):
        lane(text)


def test_variables_of_the_gateway_are_read_from_a_private_file(tmp_path):
    file = tmp_path / "gateway.env"
    file.write_text("# a provider\nQISKIT_IBM_TOKEN=a=b c\n\n")
    file.chmod(0o600)
    assert variables(file) == {"QISKIT_IBM_TOKEN": "a=b c"}
    file.write_text("QISKIT_IBM_TOKEN=x\nsecret")
    with pytest.raises(TopologyError, match="line 2") as told:
        variables(file)
    assert "secret" not in str(told.value)
    file.chmod(0o640)
    with pytest.raises(TopologyError, match="chmod 600"):
        variables(file)
    with pytest.raises(TopologyError, match="must be readable"):
        variables(tmp_path / "none")


def test_ports_are_free_or_named(listener):
    assert not is_free(listener)
    free = choose(["a", "b", "c"], None)
    assert len(set(free.values())) == 3
    assert all(map(is_free, free.values()))
    with pytest.raises(TopologyError, match=rf"{listener} \(b\)"):
        choose(["a", "b"], listener - 1)


def test_ports_that_are_asked_for_have_no_gaps():
    first = choose(["probe"], None)["probe"]
    try:
        chosen = choose(["a", "b"], first)
    except TopologyError:
        pytest.skip("somebody listens on the next port")
    assert chosen == {"a": first, "b": first + 1}
    assert choose(["c"], first, [first]) == {"c": first + 1}


def test_every_port_of_a_part_has_its_own_name():
    names = part_names(Options(workers=3))
    assert names[-1] == "worker-3" and next_worker(names) == "worker-4"
    assert "postgres" not in part_names(Options(postgres=False))
    assert "s3" not in part_names(Options(store="/store"))
    for name in names:
        assert len(set(port_names(name))) == len(port_names(name)) >= 1


def test_folders_of_others_are_left_alone(tmp_path):
    long = tmp_path / ("x" * 100)
    with pytest.raises(TopologyError, match="at most"):
        Cluster(long)


def test_a_folder_with_other_files_is_refused(short_folder):
    short_folder.mkdir()
    (short_folder / "thesis.tex").touch()
    with pytest.raises(TopologyError, match="did not write"):
        Cluster(short_folder)
    assert (short_folder / "thesis.tex").exists()


def test_a_folder_that_cannot_be_made_is_refused(short_folder):
    short_folder.touch()
    with pytest.raises(TopologyError, match=r"Not a directory.*with --dir"):
        Cluster(short_folder / "c")
    short_folder.unlink()
    # Nobody can make a folder there, not even root.
    with pytest.raises(TopologyError, match="with --dir"):
        Cluster(Path("/proc/none")).up(None)


def test_the_folder_is_private(short_folder):
    opened(short_folder)
    assert short_folder.stat().st_mode & 0o777 == 0o700
    short_folder.chmod(0o755)
    opened(short_folder)
    assert short_folder.stat().st_mode & 0o777 == 0o710
    Cluster(short_folder)


def test_without_a_cluster_there_is_nothing_to_change(short_folder):
    cluster = Cluster(short_folder)
    for change in (cluster.exports, cluster.status):
        with pytest.raises(TopologyError, match="cluster/local up"):
            change()
    with pytest.raises(TopologyError, match="cluster/local up"):
        cluster.kill("head")
    assert not short_folder.exists()
    cluster.down()
    cluster.down()
