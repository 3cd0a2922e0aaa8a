"""A simulated provider: stateful scripts on loopback, with faults on demand and a log of what it saw."""

from bulkip.simulator.callbacks import Finish
from bulkip.simulator.dialects import Dialect
from bulkip.simulator.embedded import EmbeddedSimulator
from bulkip.simulator.faultfile import read_faults
from bulkip.simulator.faults import Fault, FaultError
from bulkip.simulator.nameserver.log import QueryEntry, UpdateEntry
from bulkip.simulator.nameserver.settings import DnsSettings, DnsUpdate
from bulkip.simulator.nameserver.troubles import DnsTrouble
from bulkip.simulator.requestlog import LogEntry, RequestLog
from bulkip.simulator.seeds import (
    Seed,
    Subnet,
    TrafficPoint,
    has_traffic,
    invented_account,
    invented_ptr,
    invented_server,
)
from bulkip.simulator.server import Simulator
from bulkip.simulator.sessions import TokenEnd
from bulkip.simulator.settings import SimulatorSettings
from bulkip.simulator.state import Effect, SimulatorState

__all__ = [
    "Dialect",
    "DnsSettings",
    "DnsTrouble",
    "DnsUpdate",
    "Effect",
    "EmbeddedSimulator",
    "Fault",
    "FaultError",
    "Finish",
    "LogEntry",
    "QueryEntry",
    "RequestLog",
    "Seed",
    "Simulator",
    "SimulatorSettings",
    "SimulatorState",
    "Subnet",
    "TokenEnd",
    "TrafficPoint",
    "UpdateEntry",
    "has_traffic",
    "invented_account",
    "invented_ptr",
    "invented_server",
    "read_faults",
]
