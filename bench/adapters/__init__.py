"""One adapter for each process manager; `base.Manager` says what an adapter is."""

from adapters.base import Unavailable
from adapters.node_peers import Forever, Pm2
from adapters.others import Horust, Pitchfork, Pueue
from adapters.ours import Floor, Resume
from adapters.python_peers import Circus, Supervisor
from adapters.trees import S6, Daemontools, Runit, RunitDirect

__all__ = ["ALL", "Unavailable"]

_CLASSES = (
    Floor,
    Resume,
    Pm2,
    Forever,
    Supervisor,
    Circus,
    Runit,
    RunitDirect,
    S6,
    Daemontools,
    Pueue,
    Pitchfork,
    Horust,
)

# By the name that is typed on the command line, in the order in which they are run.
ALL = {adapter.name: adapter for adapter in _CLASSES}
