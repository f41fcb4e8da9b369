"""The report of a run, made from the store alone."""
