"""The guard: watches over windows whether models and sensors still fit each other.

    observe     one sensor's window as a few facts, while the pod has it at hand    (hot: numpy alone)
    facts       those facts, as they travel beside a prediction, read back and checked
    evidence    what one window says for or against each thing that may be wrong
    judge       evidence of several windows → warnings and notes; pure
    words       the sentences
    state       what is remembered of each sensor, in the store, a shard at a time

One odd window is a note: it may be the fault that the user is looking for. A warning needs several of them
(`judge`), is given once, when it begins, and is *ongoing* from then on.

`docs/guard.md` has the measured rates of false alarms and detection.
"""
