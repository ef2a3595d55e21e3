"""Runs a command in a terminal of its own, so many columns wide: `terminal.py COLUMNS COMMAND…`.

What it prints comes out on our stdout. When we are killed the terminal is closed, and whoever still has it gets a SIGHUP,
as when a person closes the window.
"""

import fcntl
import os
import pty
import struct
import sys
import termios

pid, terminal = pty.fork()
if pid == 0:
    size = struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0)
    fcntl.ioctl(0, termios.TIOCSWINSZ, size)
    os.execvp(sys.argv[2], sys.argv[2:])
while True:
    try:
        data = os.read(terminal, 65536)
    except OSError:
        # EIO: the last one that had the terminal open is gone.
        break
    if not data:
        break
    os.write(1, data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
