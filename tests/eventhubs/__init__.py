"""An AMQP double of Azure Event Hubs: see README.md beside this."""

from __future__ import annotations

from .double import EventHubs
from .faults import ANYWHERE, BUSY, Where
from .frames import Failure
from .hubs import Hub, Partition
from .threaded import Threaded

__all__ = ["ANYWHERE", "BUSY", "EventHubs", "Failure", "Hub", "Partition", "Threaded", "Where"]
