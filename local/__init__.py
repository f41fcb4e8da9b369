"""A real Kubernetes on one machine, made of its own programs: for `make demo`, `make cluster` and tests.

`local.controlplane.ControlPlane` is an API server without nodes (no root), `local.azurite.Azurite` is Blob
Storage, and `local.cluster.Cluster` is the whole: one real node with containers, in a network namespace of
its own.
"""
