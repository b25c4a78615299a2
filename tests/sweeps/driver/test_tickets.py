"""What trials on queued devices are told can be kept by Tune, wherever the store is."""

import threading

from ray import cloudpickle

from qhn.lanes.ticket import Ticket
from qhn.sweeps.driver.tickets import Tickets
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import open_store

SPEC = """
{name: x, datasets: [moons], objectives: [mle], seeds: 1,
 devices: [{name: rehearsal, shots: 16, label: qpu}], lanes: {qpu: {devices: [qpu]}}}
"""


def test_tickets_can_be_pickled_although_the_store_cannot(tmp_path):
    store, plan = open_store(str(tmp_path / "store")), make_plan(parse_spec(SPEC, "test"))
    # The client of a server has locks, which cannot be pickled.
    store.backend.lock_of_client = threading.Lock()
    kept = cloudpickle.loads(cloudpickle.dumps(Tickets(plan, store)))
    ticket = Ticket.from_json(kept.of(plan.trials[0]))
    assert (ticket.store, ticket.sweep) == (store.uri, "x")
