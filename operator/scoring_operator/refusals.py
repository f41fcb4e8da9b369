"""Why a run can never be done: it asks for what the administrator does not offer, or its list changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scoring_operator.chunks import Chunks
from scoring_operator.decision import Situation
from scoring_operator.quantity import quantity
from scoring_operator.settings import Runtime
from scoring_operator.spec import Spec, Template

Refusal = tuple[str, str]  # a reason, and the sentence that names field, found and wanted


def refusal(at: Situation, spec: Spec) -> Refusal | None:
    """Why the run can never be done, if so."""
    return _store(at, spec) or _runtime(at, spec) or _sinks(at, spec) or _list(at)


def _store(at: Situation, spec: Spec) -> Refusal | None:
    namespace, stores = at.run.namespace, at.settings.stores
    offered = sorted(name for name, store in stores.items() if store.offered_to(namespace))
    if spec.store in offered:
        return None
    return "UnknownStore", f"spec.store is {spec.store!r}; {_wanted(namespace, offered)}"


def _runtime(at: Situation, spec: Spec) -> Refusal | None:
    namespace, runtimes = at.run.namespace, at.settings.runtimes
    offered = sorted(name for name, runtime in runtimes.items() if runtime.offered_to(namespace))
    if spec.runtime not in offered:
        return "UnknownRuntime", f"spec.runtime is {spec.runtime!r}; {_wanted(namespace, offered)}"
    if at.run.status.begun:
        return None  # what was allowed when the run began stays so for it
    why = template_refusal(spec.template, runtimes[spec.runtime])
    return ("TemplateRefused", f"spec.template.{why}") if why else None


def _sinks(at: Situation, spec: Spec) -> Refusal | None:
    namespace, sinks = at.run.namespace, at.settings.sinks
    offered = sorted(name for name, sink in sinks.items() if sink.offered_to(namespace))
    unknown = [name for name in spec.sinks if name not in offered]
    if not unknown or at.run.status.begun:  # no sink ends a run that goes on: it is told at its end
        return None
    return "UnknownSink", f"spec.sinks has {unknown[0]!r}; {_wanted(namespace, offered)}"


def _list(at: Situation) -> Refusal | None:
    pinned, chunks = at.run.status.pinned, at.observed.sensors
    if not pinned or not isinstance(chunks, Chunks) or chunks.sensors.sha256 == pinned.sha256:
        return None
    digests = f"found sha256 {chunks.sensors.sha256[:12]}, wanted {pinned.sha256[:12]}"
    return "InvalidSensors", f"the sensor list changed while the run went on: {digests}"


def _wanted(namespace: str, offered: Iterable[str]) -> str:
    return f"wanted one that is offered to namespace {namespace}: {', '.join(offered) or 'none is'}"


# Templates --------------------------------------------------------------------------------------------------


def template_refusal(template: Template, runtime: Runtime) -> str:
    """Which field of the template asks for what the runtime does not allow; empty if none does."""
    return (
        _resources("requests", template.requests, runtime)
        or _resources("limits", template.limits, runtime)
        or _keys("labels", template.labels, runtime.template.label_keys, runtime)
        or _keys("annotations", template.annotations, runtime.template.annotation_keys, runtime)
        or _env(template.env, runtime)
        or _priority(template.priority_class, runtime)
    )


def _resources(kind: str, asked: Mapping[str, str], runtime: Runtime) -> str:
    for name, text in asked.items():
        most = most_of(name, runtime)
        try:
            found = quantity(text)
        except ValueError as error:
            return f"resources.{kind}.{name}: {error}"
        if most is None:
            return (
                f"resources.{kind}.{name} is {text}; runtime {runtime.name} has no bound for it: wanted none"
            )
        if found > quantity(most):
            return f"resources.{kind}.{name} is {text}; wanted at most {most}, by runtime {runtime.name}"
    return ""


def most_of(resource: str, runtime: Runtime) -> str | None:
    """The most of a resource that a run may ask for: the bound, else the runtime's own limit or request."""
    for bounds in (
        runtime.template.resources,
        runtime.resources.get("limits", {}),
        runtime.resources.get("requests", {}),
    ):
        if resource in bounds:
            return str(bounds[resource])
    return None


def _keys(field: str, asked: Iterable[str], allowed: frozenset[str], runtime: Runtime) -> str:
    """A label may make the pod a Service's, or exempt it from a policy; an annotation may choose an image."""
    domains = tuple(key for key in allowed if key.endswith("/"))
    for key in asked:
        if key not in allowed and not key.startswith(domains):
            wanted = f"wanted only {', '.join(sorted(allowed))}, by" if allowed else "wanted none, by"
            return f"{field}: found {key}; {wanted} runtime {runtime.name}"
    return ""


def _env(env: Mapping[str, str], runtime: Runtime) -> str:
    prefix = runtime.template.env_prefix
    for name in env:
        if not prefix:
            return f"env: found {name}; runtime {runtime.name} allows none"
        if not name.startswith(prefix):
            return f"env: found {name}; wanted names beginning with {prefix}, by runtime {runtime.name}"
    return ""


def _priority(name: str, runtime: Runtime) -> str:
    offered = runtime.template.priority_classes
    if not name or name in offered:
        return ""
    wanted = (
        f"wanted one of: {', '.join(sorted(offered))}" if offered else f"runtime {runtime.name} allows none"
    )
    return f"priorityClassName is {name}; {wanted}"
