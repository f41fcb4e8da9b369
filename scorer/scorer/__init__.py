"""Sensorscore scorer: reads sensors' readings and models, scores them, writes predictions."""
