"""A simulated provider: a stateful `ip.php` on loopback, with faults on demand and a log of what it saw."""

from bulkip.simulator.desk import SimulatorSettings
from bulkip.simulator.embedded import EmbeddedSimulator
from bulkip.simulator.faultfile import read_faults
from bulkip.simulator.faults import Fault, FaultError
from bulkip.simulator.requestlog import LogEntry, RequestLog
from bulkip.simulator.seeds import Seed, Subnet, TrafficPoint, has_traffic, invented_account, invented_ptr
from bulkip.simulator.server import Simulator
from bulkip.simulator.state import Effect, SimulatorState

__all__ = [
    "Effect",
    "EmbeddedSimulator",
    "Fault",
    "FaultError",
    "LogEntry",
    "RequestLog",
    "Seed",
    "Simulator",
    "SimulatorSettings",
    "SimulatorState",
    "Subnet",
    "TrafficPoint",
    "has_traffic",
    "invented_account",
    "invented_ptr",
    "read_faults",
]
