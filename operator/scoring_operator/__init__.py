"""Sensorscore operator: turns a ScoringRun into Jobs and their outcomes into its status."""
