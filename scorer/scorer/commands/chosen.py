"""`--table`, `--discover`: sensors that the store tells of, as in a run's stage Prepare."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from scorer.commands.arguments import as_argument, sensors_of
from scorer.commands.said import Plain
from scorer.contract.preparing import DISCOVER_FROM, source_of
from scorer.contract.sensors import SensorsInStore
from scorer.errors import InputError
from scorer.listed import given_by, list_path, names_of, pin

if TYPE_CHECKING:
    from scorer.contract.work import WorkOrder
    from scorer.storage import Store


def add_chosen(parser: argparse.ArgumentParser) -> None:
    """Beside `--sensors`."""
    group = parser.add_argument_group("sensors that the store tells of")
    group.add_argument(
        "--table",
        metavar="PATH",
        help="of a table in the store, CSV or Parquet: column sensor, and perhaps validFrom, validTo, model, "
        "threshold, group, owner",
    )
    group.add_argument(
        "--discover", choices=DISCOVER_FROM, help="all with readings in the window, or with a model"
    )
    group.add_argument("--prefix", metavar="TEXT", help="of those only the ones whose names begin so")


def chosen(options: argparse.Namespace, store: Store, order: WorkOrder) -> tuple[WorkOrder, list[str]]:
    """The sensors that the arguments mean, and the order with what a table gives them. Raises InputError.

    A list that the store tells of is kept in it, as a run's is.
    """
    given = [name for name in ("sensors", "table", "discover") if getattr(options, name) is not None]
    if len(given) > 1:
        raise InputError(f"found --{' and --'.join(given)}: wanted one of them")
    if options.prefix is not None and options.discover is None:
        raise InputError("found --prefix without --discover: wanted both or neither")
    if not given or given == ["sensors"]:
        return order, sensors_of(options, store, order.readings.path, order.window)
    if options.table is not None:
        told = {"table": options.table}
    else:
        told = {"discover": {"from": options.discover, "prefix": options.prefix or ""}}
    from scorer.prepare.resolve import resolve

    listed = resolve(store, order, as_argument(lambda: source_of(told)), Plain())
    head, listed = pin(store, order.run.uid, listed)
    where = SensorsInStore(list_path(order.run.uid), 0, head.total, head.digest)
    return order._replace(sensors=where, given=given_by(listed)), list(names_of(listed))
