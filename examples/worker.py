#!/usr/bin/env python3
"""A worker to keep alive: `resume start examples/worker.py`.

Works on one job after the other and says so. With `--fail-every N` every Nth job raises where nothing catches it: the
traceback is one record of the log, and the next run goes on. SIGTERM lets it finish the job that it is at.
"""

import argparse
import os
import signal
import sys
import threading


def work(number: int, seconds: float, fail_every: int, stopping: threading.Event) -> None:
    """Does one job: waits for its time to pass, unless it is told to stop."""
    print(f"job {number}: begun", flush=True)
    if fail_every and number % fail_every == 0:
        raise RuntimeError(f"job {number} does not like to be a multiple of {fail_every}")
    stopping.wait(seconds)
    print(f"job {number}: done", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long a job takes (default: %(default)s)")
    parser.add_argument("--fail-every", type=int, default=0, metavar="N", help="every Nth job fails (default: none)")
    options = parser.parse_args()

    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, lambda *_: stopping.set())

    print(f"worker {os.getpid()} is ready", file=sys.stderr, flush=True)
    number = 0
    while not stopping.is_set():
        number += 1
        work(number, options.seconds, options.fail_every, stopping)
    print(f"worker {os.getpid()} leaves after {number} jobs", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
