"""Stops: what a signal does at each moment of a sweep."""

import signal

import pytest

from qhn.cli.signals import clean_stops, held_back

STOPS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def handlers():
    return [signal.getsignal(number) for number in (*STOPS, signal.SIGUSR1)]


@pytest.mark.parametrize("number", STOPS)
def test_a_stop_interrupts(number):
    before = handlers()
    with pytest.raises(KeyboardInterrupt), clean_stops():
        signal.raise_signal(number)
    assert handlers() == before


def test_sigterm_goes_to_whoever_handles_sigusr1():
    asked = []
    with clean_stops():
        signal.signal(signal.SIGUSR1, lambda number, frame: asked.append(number))
        signal.raise_signal(signal.SIGTERM)
    assert asked == [signal.SIGUSR1]


@pytest.mark.parametrize("number", STOPS)
def test_a_stop_is_held_back_until_the_work_is_done(number):
    done = False
    with clean_stops():
        armed = handlers()
        with pytest.raises(KeyboardInterrupt), held_back():
            signal.raise_signal(number)
            done = True
        assert handlers() == armed
    assert done


@pytest.mark.parametrize("number", STOPS)
def test_handlers_of_libraries_do_not_replace_ours(number):
    def exit_at_once(number, frame):
        raise SystemExit

    with clean_stops(), pytest.raises(KeyboardInterrupt), held_back():
        signal.signal(number, exit_at_once)
        signal.raise_signal(number)


def test_a_second_stop_is_not_held_back():
    done = False
    with clean_stops(), pytest.raises(KeyboardInterrupt), held_back():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        done = True
    assert not done


def test_a_hangup_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with clean_stops(), held_back():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_error_is_not_hidden_by_holding_back():
    with clean_stops(), pytest.raises(ZeroDivisionError), held_back():
        raise ZeroDivisionError
