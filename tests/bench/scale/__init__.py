"""Benches of the operator: a real control plane, KWOK's simulated nodes, the operator as its own process."""
