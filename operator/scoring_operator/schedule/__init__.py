"""Makes the ScoringRun of the window just ended: what a schedule's CronJob runs, for a few seconds.

A CronJob may start this twice for one time, or not at all, and whatever it starts may be killed at any
instant. So nothing here depends on how often or when it runs: which windows have ended follows from the
clock, which of them are settled from a mark that is kept in a ConfigMap, and a run's name from its window.
The operator's loop has no part in it.

`windows`      the grid of windows, in UTC
`rescore`      a schedule's settings for hours that are corrected after they were scored
`settings`     the schedule, from a YAML file
`plan`         mark and clock → which windows get a run now (pure)
`corrections`  the same of corrected hours: what was found in the store, mark and clock (pure)
`objects`      runs, the marks and Events as Kubernetes has them
`calls`        what both of these have in common
`creator`      the calls for windows, in an order that may be cut anywhere
`rescorer`     the calls for corrected hours, likewise: a process and a CronJob of its own, so that nothing of
               the store's can hold up a window
"""
