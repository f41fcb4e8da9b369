"""What `make demo` does: the main job, from nothing to a picture of the anomalies. Start at `__main__`."""
