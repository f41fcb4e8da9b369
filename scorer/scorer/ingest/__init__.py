"""Device events to windowed readings, with the semantics of Azure Stream Analytics: the part without I/O.

    bodies ─▶ events ─▶ watermarks ─▶ windows ─▶ closed windows ─▶ merge (over partitions) ─▶ readings
    JSON, CSV  columns   event time,   aggregates
                         late, early,
                         out of order

`step` is the whole of it for one partition: what came, and the state before it, to closed windows and the
state after it. All that a result depends on is in the events (their own times and the times at which the hub
got them) or in the state, never a clock of the machine: so however events are cut into batches, and from
whatever committed state they are read again, the same windows come out, bit for bit.
"""
