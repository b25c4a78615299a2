"""A cluster on one machine, as plain processes: what `cluster/local` starts, ends and disturbs.

It has the same parts as the containers: a Ray with its head, workers and the gateway to quantum
processors, PostgreSQL, an MLflow server that asks for a password, and an S3 server. Everything
listens on the loopback interface only, and every server refuses whoever does not know the secrets
that were made for this cluster.
"""
