"""Makes the ScoringRun of the window just ended: what a schedule's CronJob runs, for a few seconds.

A CronJob may start this twice for one time, or not at all, and whatever it starts may be killed at any
instant. So nothing here depends on how often or when it runs: which windows have ended follows from the
clock, which of them are settled from a mark that is kept in a ConfigMap, and a run's name from its window.
The operator's loop has no part in it.

`windows`   the grid of windows, in UTC
`plan`      mark and clock → which windows get a run now (pure)
`settings`  the schedule, from a YAML file
`objects`   runs, the mark and Events as Kubernetes has them
`creator`   the calls, in an order that may be cut anywhere
"""
