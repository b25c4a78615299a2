"""The handles of the device ``qiskit``: Aer, IBM's fake backends, and IBM's processors.

Nothing outside this package and `qhn.devices.pennylane` imports Qiskit.
"""
