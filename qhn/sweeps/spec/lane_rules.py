"""Checks the rules of lanes and labels, which concern several entries of a sweep file."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from qhn.sweeps.spec.devices import DeviceSpec
from qhn.sweeps.spec.lanes import LaneSpec, queue_of
from qhn.sweeps.spec.mistakes import Finding
from qhn.sweeps.spec.translate import nearest


def check_lanes(
    devices: Mapping[int, DeviceSpec], lanes: Mapping[str, LaneSpec], named: Collection[str]
) -> Iterator[Finding]:
    """The mistakes in labels and lanes.

    Args:
        devices: the devices without mistakes of their own, by their place in the file.
        lanes: the lanes without mistakes of their own, by name.
        named: the labels of all devices, also of those with mistakes.
    """
    yield from _labels(devices)
    by_label: dict[str, DeviceSpec] = {}
    for device in devices.values():
        by_label.setdefault(device.key, device)
    lane_of: dict[str, str] = {}
    queues: dict[str, str] = {}
    for name, lane in lanes.items():
        in_lane: dict[str, str] = {}
        for place, label in enumerate(lane.devices):
            where = ("lanes", name, "devices", place)
            if label not in by_label:
                if label not in named:
                    yield where, _unknown(label, named)
                continue
            queue = queue_of(by_label[label])
            if queue is None:
                yield (
                    where,
                    (f"a lane is for devices with a queue, but {label} has none; leave it out"),
                )
            elif lane_of.setdefault(label, name) != name:
                yield (
                    where,
                    (
                        f"a device must be in one lane, but {label} is in {lane_of[label]} too; "
                        "leave it out in one of them"
                    ),
                )
            else:
                in_lane[label] = queue
        yield from _queue(name, in_lane, queues)
        yield from _same_provider(("lanes", name), [by_label[label] for label in in_lane])
    yield from _unnamed(devices, lane_of, queues)


def _labels(devices: Mapping[int, DeviceSpec]) -> Iterator[Finding]:
    firsts: dict[str, DeviceSpec] = {}
    for place, device in devices.items():
        first = firsts.setdefault(device.key, device)
        if (first.name, first.access) == (device.name, device.access):
            continue
        if device.label is None and first.label is None:
            # Devices of one name may differ by their options, but lanes could not tell these apart.
            message = (
                f"two devices are called {device.key} and are reached in different ways; "
                "give one of them a label"
            )
        else:
            message = (
                f"a label stands for one device, but {device.key} is what another one is called; "
                "choose another label"
            )
        yield ("devices", place, "label"), message


def _unknown(label: str, named: Collection[str]) -> str:
    known = ", ".join(dict.fromkeys(named)) or "none"
    return f"no device has the label {label}{nearest(label, named)} (labels: {known})"


def _queue(name: str, in_lane: Mapping[str, str], queues: dict[str, str]) -> Iterator[Finding]:
    """Check that a lane has one queue, and has it alone."""
    by_queue: dict[str, list[str]] = defaultdict(list)
    for label, queue in in_lane.items():
        by_queue[queue].append(label)
    where = ("lanes", name)
    if len(by_queue) > 1:
        each = "; ".join(f"{queue}: {', '.join(labels)}" for queue, labels in by_queue.items())
        yield (
            where,
            (
                "the devices of a lane must share one queue, but these have "
                f"{len(by_queue)} ({each}); give each queue a lane of its own"
            ),
        )
    for queue in by_queue:
        if (other := queues.setdefault(queue, name)) != name:
            yield (
                where,
                (
                    f"a queue must have one lane, but {other} is a lane of the queue {queue} too; "
                    "put all its devices into one lane"
                ),
            )


def _same_provider(where: tuple[str | int, ...], devices: list[DeviceSpec]) -> Iterator[Finding]:
    """Check that the same limits and prices are to be expected of all devices of one queue."""
    for device in devices[1:]:
        first, other = devices[0].access, device.access
        if first is None or other is None or first.provider == other.provider:
            continue
        if queue_of(devices[0]) != queue_of(device):  # that is a mistake of its own
            continue
        values: tuple[Any, Any] = first, other
        here, there = (dataclasses.asdict(value) for value in values)
        names = [name for name in here if here[name] != there.get(name)]
        yield (
            where,
            (
                "devices that share a queue must have the same limits and prices, but "
                f"{devices[0].key} and {device.key} differ in {', '.join(names)}; "
                "give both the same"
            ),
        )
        return


def _unnamed(
    devices: Mapping[int, DeviceSpec], lane_of: Mapping[str, str], queues: Mapping[str, str]
) -> Iterator[Finding]:
    """A device that no lane names may not be on the queue of a lane, nor differ on its own."""
    firsts: dict[str, DeviceSpec] = {}
    for place, device in devices.items():
        queue = queue_of(device)
        if device.key not in lane_of and queue is not None and queue in queues:
            message = (
                f"{device.key} is on the queue {queue} of the lane {queues[queue]}, which does not "
                "name it; add it to the devices of the lane"
            )
            yield ("devices", place), message
        elif device.key not in lane_of and queue is not None:
            first = firsts.setdefault(queue, device)
            if first.key != device.key:
                yield from _same_provider(("devices", place), [first, device])
