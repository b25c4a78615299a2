"""Every command on the page about clusters is real, and every file that it names is there."""

import os
import re
import shlex

import pytest
from definitions import ROOT, check_bash, check_node, check_qhn, check_ray, read_yaml
from topology import __main__ as local

TEXT = (ROOT / "docs" / "cluster.md").read_text()
BLOCKS = re.findall(r"^```console\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
LINES = [line for block in BLOCKS for line in block.replace("\\\n", "").splitlines()]
# Options of programs that are not at hand, by command: those with a value, and those without.
KNOWN = {
    "sbatch": ({"--nodes", "--time"}, set()),
    "squeue": (set(), {"--me"}),
    "docker build": ({"--file", "--tag"}, set()),
    "docker compose up": ({"--file"}, {"--detach", "--wait"}),
    "docker compose exec": ({"--file"}, set()),
    "docker compose down": ({"--file"}, {"--volumes"}),
    "kubectl create configmap": ({"--from-literal", "--from-file"}, set()),
    "kubectl create secret generic": ({"--from-env-file", "--from-file"}, set()),
    "kubectl create": ({"--filename"}, set()),
    "kubectl apply": ({"--filename"}, set()),
    "kubectl get": ({"--output"}, set()),
    "kubectl port-forward": (set(), set()),
}
# Files that the reader makes.
OWN_FILES = {"store.env", "tracking.env", "provider-token"}


def commands_of(line):
    """The commands of a line, each as a list of words without variables set for it."""
    for inner in re.findall(r"\$\(([^()]*)\)", line):
        yield from commands_of(inner)
    words = list(
        shlex.shlex(re.sub(r"\$\([^()]*\)", "VALUE", line), posix=True, punctuation_chars=";")
    )
    words = shlex.split(re.sub(r"\$\([^()]*\)", "VALUE", line)) if ";" not in words else words
    for part in " ".join(map(shlex.quote, words)).split(" ';' "):
        found = shlex.split(part)
        while found and re.match(r"[A-Z_]+=", found[0]):
            found = found[1:]
        yield found


def check_known(words):
    """Fail unless an external program is called with options that it is known to take."""
    names = [word for word in words if not word.startswith("-")]
    program = next(
        known
        for known in KNOWN
        if known.split() == [name for name in names if name in known.split()][: len(known.split())]
        and words[0] == known.split()[0]
    )
    valued, flags = KNOWN[program]
    rest, files = words[1:], []
    while rest:
        word = rest.pop(0)
        option, equals, value = word.partition("=")
        if program == "docker compose exec" and word == "head":
            assert word in read_yaml(ROOT / "docker" / "compose.yaml")[0]["services"]
            check_words(rest)
            break
        if option in valued:
            value = value if equals else rest.pop(0)
            if option in ("--file", "--filename", "--from-file", "--from-env-file"):
                files.append(value.partition("=")[2] or value)
        elif word.startswith("-"):
            assert word in flags, f"{program} takes no {word}"
        elif word.endswith((".yaml", ".sbatch")):
            files.append(word)
    for file in files:
        assert file in OWN_FILES or (ROOT / file).exists(), file


def check_words(words):
    program, *arguments = words
    name = program.removeprefix(".venv/bin/")
    for word in arguments:
        if re.fullmatch(r"[\w/-]+\.(yaml|sbatch)", word):
            assert (ROOT / word).exists(), word
    if name == "qhn":
        check_qhn(arguments)
    elif name == "ray":
        check_ray(arguments)
    elif name in ("cluster/head", "cluster/worker"):
        check_node(words)
    elif name == "cluster/local":
        local._parser().parse_args(arguments)
    elif name == "scripts/setup":
        assert len(arguments) == 1
        assert f"\n{arguments[0]} = [" in (ROOT / "pyproject.toml").read_text()
    elif name in {"export", "eval", "umask", "cat", "cp", "chmod"}:
        for word in arguments:
            if word.endswith(".example"):
                assert (ROOT / word).exists(), word
    else:
        check_known(words)


def test_there_are_commands_for_each_way():
    programs = {words[0] for line in LINES for words in commands_of(line) if words}
    assert {"sbatch", "docker", "kubectl", "cluster/head", "cluster/worker", "qhn"} <= programs


@pytest.mark.parametrize("line", LINES)
def test_command_is_real(line):
    for words in commands_of(line):
        check_words(words)


def test_a_wrong_command_would_be_found():
    for wrong in (
        "qhn sweep submit sweeps/quickstart.yaml --no-such-option",
        "qhn sweep no-such-command",
        "cluster/worker --lanes qpu=4",
        ".venv/bin/ray get-auth-token --no-such-option",
        "sbatch cluster/absent.sbatch",
        "kubectl apply --no-such-option",
        "docker compose exec head qhn no-such-command",
        "scripts/setup absent",
    ):
        (words,) = commands_of(wrong)
        # Their parsers raise their own exceptions, and argparse ends the process.
        with pytest.raises((Exception, SystemExit)):
            check_words(words)


def test_links_and_files_in_the_text_are_there():
    page = ROOT / "docs"
    for link in re.findall(r"\]\((?!http|#)([^)#]+)", TEXT):
        assert (page / link).exists(), link
    anchors = {
        re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-")
        for title in re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors
    for file in re.findall(r"`((?:cluster|docker|scripts)/[\w./-]+)", TEXT):
        there = ROOT / file.rstrip(".")
        assert there.exists() or file == "docker/.env", file


def test_scripts_can_be_run():
    for name in ("head", "worker", "local", "slurm.sbatch"):
        check_bash(ROOT / "cluster" / name)
        assert os.access(ROOT / "cluster" / name, os.X_OK)
