"""Sweeps on a cluster, through the job server of its Ray: submitted, followed and asked about.

A job is a command of qhn that Ray's job server runs on the head of the cluster, where the store and
the tracking server are reached. A submitted sweep is such a job, which runs ``qhn sweep run``. The
other commands are small jobs beside the store, which end within seconds.
"""
