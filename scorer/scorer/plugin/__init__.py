"""Models that no list of stages can say: scored by a package of their own, in a process of its own.

The contract of such a package, which the runtime's image holds and names in `SENSORSCORE_PLUGINS`:

    load(payload: bytes, params: Mapping[str, Any]) -> model
    score(model, rows: NDArray[float64], of shape (n, features)) -> NDArray[float64] (n,)

A score is higher for what is more anomalous, and above 0 (or at 0, as the model file says) for an anomaly.
`payload` is what registration got from the package's author, and nothing but data: a package must not
execute it. Both functions may print, raise, crash, hang and take all memory there is: that costs the sensor
its window, and no neighbour anything. They get neither the store's credentials nor its address.

`load` may raise the two errors below; all else that goes wrong is `PluginFailed`.
"""


class IncompatibleError(Exception):
    """The payload is sound, but made for another version or kind of plugin: say what to do."""


class CorruptError(Exception):
    """The payload is not what this plugin's models are."""
