"""The prepare stage: waits for readings, finds the run's sensors, and writes their list once.

    runs/{uid}/sensors          the list: `scorer.listed`

Whatever happens to the table or the folders afterwards, the list stays; an attempt that finds one takes it.
"""
