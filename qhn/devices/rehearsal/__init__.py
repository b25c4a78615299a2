"""The rehearsal device: a quantum processor to practise on, which costs nothing.

It samples from the exact engine and behaves like a provider: jobs wait in a queue, submissions are
limited, calls fail, and each job has a price. There is no server. One SQLite file is the whole
provider, and the clock moves it on; see `qhn.devices.rehearsal.provider`.
"""
