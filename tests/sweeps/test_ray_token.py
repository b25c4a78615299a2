"""A user without a token is told so before Ray looks for it, which would end the process."""

import pytest

from qhn.core.errors import RayError
from qhn.sweeps.ray_token import check_token


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file"), (b"\n", "it is empty"), (b"\xff", "it is no text")]
)
@pytest.mark.parametrize("named", [True, False])
def test_a_token_that_cannot_be_had(monkeypatch, home, content, why, named):
    path = home / "token" if named else home / ".ray" / "auth_token"
    path.parent.mkdir(exist_ok=True)
    if named:
        monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RayError, match=f"{path} is not: {why}.*; copy the token"):
        check_token()
    path.write_text("word\n")
    check_token()


def test_no_file_is_needed_for_a_token_in_a_variable_or_for_a_ray_without_one(monkeypatch):
    with monkeypatch.context() as variables:
        variables.setenv("RAY_AUTH_TOKEN", "word")
        check_token()
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    check_token()
