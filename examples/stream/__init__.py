"""What `make demo-stream` does: device events in, anomalies out, an hour in a minute. Start at `__main__`."""
