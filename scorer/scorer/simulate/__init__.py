"""A fleet of devices that are not there: readings, labelled faults in them, and events on a bad network.

    fleet or replay ─▶ blocks of readings ─▶ faults ─▶ messages ─▶ bodies ─▶ Event Hubs or JSON Lines
                                               │   └───────────────────────▶ a store, as `scorer land` does
                                               └─▶ labels ─▶ `check` against predictions

All is drawn from the seed, block by block, and each thing from numbers of its own: the same seed gives the
same events, and those that come late have the same values as they would have had in time. Memory is that of
a block and of what is under way.
"""
