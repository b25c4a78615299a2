"""Judges what one machine has answered, and says what to do about it. All functions are pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from qhn.sweeps.driver.probing import Asked, Skew
from qhn.sweeps.planning.machine import size_text
from qhn.sweeps.trial.findings import Finding, Verdict
from qhn.sweeps.trial.probe import STORE_PATIENCE_S, Answer, Disk

#: With less free space than this nothing can run, and with less than `LITTLE` it may soon end.
NOTHING = 100 * 2**20
LITTLE = 2**30
#: Clocks that differ by more seconds than this make times hard to read.
_SKEW_S = 1.0
_NAMES = {"python": "Python", "ray": "Ray", "numpy": "NumPy", "numba": "Numba"}
_ELSEWHERE = (
    "name a folder that all machines share, or an address such as s3://bucket/sweeps, with --store"
)


def about_node(
    asked: Asked, versions: Mapping[str, str | None], code: str, store: str, term_s: float
) -> list[Finding]:
    """All findings about a machine that do not depend on what the sweep needs.

    Args:
        asked: the machine.
        versions: the versions of the driver, as `Answer` has them.
        code: the digest of the driver's qhn.
        store: the address of the store, as people write it.
        term_s: after how many seconds the shortest lease ends that is not renewed.
    """
    name, answer = asked.node.name, asked.answer
    if answer is None and asked.gone:
        return [Finding(name, "answer", "warning", "it has left the Ray while it was asked")]
    if answer is None:
        text = (
            f"each machine must answer, but {asked.why}; look at its Ray, or take it out of the "
            "cluster"
        )
        return [Finding(name, "answer", "wrong", text)]
    found = [
        ("versions", *_versions(answer, versions, code)),
        *(("store", *judged) for judged in _store(asked, answer, store)),
        ("disk", *_disk(answer["temporary"], "Ray's files", "start its Ray with --temp-dir")),
    ]
    if (disk := answer["store"]["disk"]) is not None:
        found.append(("disk", *_disk(disk, "the store", "name another folder with --store")))
    if asked.skew is not None:
        found.append(("clock", *_clock(asked.skew, term_s)))
    return [Finding(name, what, verdict, text) for what, verdict, text in found]


def _versions(answer: Answer, versions: Mapping[str, str | None], code: str) -> tuple[Verdict, str]:
    there = answer["versions"]
    differing = [name for name in versions if there.get(name) != versions[name]]
    if answer["trouble"]:
        return "wrong", (
            f"the Python that runs Ray there must have qhn {versions['qhn']}, but cannot import "
            f"it ({answer['trouble']}); install it there, and start its Ray again"
        )
    if differing:
        has = ", ".join(f"{_named(name, there.get(name))}" for name in differing)
        wanted = ", ".join(f"{_named(name, versions[name])}" for name in differing)
        return "wrong", (
            f"it must have the versions of the driver, {wanted}, but has {has}; install those of "
            "the driver there, and start its Ray again"
        )
    if answer["code"] != code:
        return "wrong", (
            f"its qhn {versions['qhn']} must be the same code as that of the driver, but is not; "
            "install the same qhn there, and start its Ray again"
        )
    return "fine", ", ".join(_named(name, version) for name, version in there.items())


def _named(package: str, version: str | None) -> str:
    name = _NAMES.get(package, package)
    return f"no {name}" if version is None else f"{name} {version}"


def _store(asked: Asked, answer: Answer, store: str) -> Iterator[tuple[Verdict, str]]:
    seen = answer["store"]
    match seen["state"]:
        case "same" if asked.read_back:
            yield "fine", f"it reads and writes {store}"
        case "same":
            yield (
                "wrong",
                (
                    f"what it writes into {store} must come to the driver, but does not; "
                    f"{_ELSEWHERE}"
                ),
            )
        case "other":
            yield (
                "wrong",
                f"it must see the same store as the driver, but {store} is another one there, "
                f"or none; {_ELSEWHERE}",
            )
        case "failed":
            yield "wrong", f"it must be able to read and write {store}, but: {seen['why']}"
        case "slow":
            yield (
                "wrong",
                f"{store} must answer there within {STORE_PATIENCE_S:.0f} s, but does not; look at "
                "its network, and at what is mounted there",
            )
        case "unknown":  # its versions are wrong, which another finding says
            pass


def _disk(disk: Disk, what: str, way_out: str) -> tuple[Verdict, str]:
    folder, free = disk["folder"], size_text(disk["free"])
    if disk["why"]:
        return "wrong", (
            f"{what} must find room in {folder}, but writing there failed: {disk['why']}; free "
            f"space, mend the permissions, or {way_out}"
        )
    if disk["free"] < NOTHING:
        return "wrong", (
            f"{what} must find room in {folder}, but {free} are free there; free space, or "
            f"{way_out}"
        )
    if disk["free"] < LITTLE:
        return "warning", f"only {free} are free for {what} in {folder}"
    return "fine", f"{free} are free for {what} in {folder}"


def _clock(skew: Skew, term_s: float) -> tuple[Verdict, str]:
    ahead = "ahead of" if skew.seconds >= 0 else "behind"
    text = f"{abs(skew.seconds):.2f} s {ahead} that of the driver (± {skew.error:.2f} s)"
    if skew.at_least > term_s:
        return "wrong", (
            f"it must differ from that of the driver by less than {term_s:.0f} s, so that times "
            f"of trials and jobs can be compared, but is {text}; set it by NTP"
        )
    if skew.at_least > _SKEW_S:
        return "warning", f"it is {text}; set it by NTP"
    return "fine", f"it is {text}"
