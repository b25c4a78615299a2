"""The progress of a sweep, and the end of a run, in whole sentences."""

from __future__ import annotations

from qhn.cli.words import duration
from qhn.sweeps.driver.summary import RunSummary


def run_in_words(summary: RunSummary) -> str:
    """How many trials finished, failed, are left, and were stopped early, in rich's markup."""
    parts = [_finished(summary)]
    if summary.failed:
        parts.append(f"[red]{_number(summary.failed, 'has', 'have')} failed.[/]")
    if summary.remaining:
        parts.append(f"[yellow]{_number(summary.remaining, 'is', 'are')} left.[/]")
    if summary.stopped:
        over = summary.finished + summary.skipped
        some = "" if summary.stopped == over else f" of the {over:,} that finished"
        subject = f"{summary.stopped:,}{some}" if some else "All of them" if over > 1 else "It"
        verb = "was" if summary.stopped == 1 else "were"
        parts.append(f"{subject} {verb} stopped early.")
    return " ".join(parts)


def _finished(summary: RunSummary) -> str:
    now, before, planned = summary.finished, summary.skipped, summary.trials
    time = duration(summary.wall_seconds)
    everything = "The sweep's one trial" if planned == 1 else f"All {planned:,} trials"
    if before == planned:
        verb = "was" if planned == 1 else "were"
        return f"{everything} {verb} finished before; nothing was left to run."
    if now == planned:
        return f"{everything} finished in {time}."
    if before:
        rest = f"{_number(before, 'was', 'were')} finished before"
        if now:
            return f"{now:,} of {planned:,} trials finished now, in {time}; {rest}."
        return f"None of {planned:,} trials finished now, in {time}; {rest}."
    if now:
        return f"{now:,} of {planned:,} trials finished in {time}."
    if planned == 1:
        return f"{everything} did not finish; the run took {time}."
    return f"None of the {planned:,} trials finished; the run took {time}."


def standing(planned: int, finished: int, failed: int = 0, running: int = 0) -> str:
    """The progress of a sweep, as the end of a sentence that begins with its name.

    Args:
        planned: the number of planned trials.
        finished: how many have finished.
        failed: how many have failed.
        running: how many are running.

    Example:
        >>> standing(96, 12, failed=1, running=2)
        '12 of 96 trials are finished, 1 has failed, 2 are running, 81 are left'
    """
    left = planned - finished - failed - running
    if planned == 1:
        ends = ((finished, "is finished"), (failed, "has failed"), (running, "is running"))
        return f"its one trial {next((end for n, end in ends if n), 'is not finished yet')}"
    if finished == planned:
        return f"all {planned:,} trials are finished"
    if left == planned:
        return f"none of the {planned:,} trials is finished yet"
    number = f"{finished:,}" if finished else "none"
    parts = [f"{number} of {planned:,} trials {'are' if finished > 1 else 'is'} finished"]
    if failed:
        parts.append(f"{_number(failed, 'has', 'have')} failed")
    if running:
        parts.append(f"{_number(running, 'is', 'are')} running")
    if left:
        parts.append(f"{_number(left, 'is', 'are')} left")
    return ", ".join(parts)


def _number(number: int, singular: str, plural: str) -> str:
    return f"{number:,} {singular if number == 1 else plural}"
