"""Writes five lines through asyncio's own pipe on stdout, then waits.

asyncio watches its end of the pipe for readability, to notice that the reader is gone. Were that end open for reading as
well, it would take its own output for the end and close after the first line.
"""

import asyncio
import sys


async def main() -> None:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout)
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    for number in range(1, 6):
        writer.write(f"asyncio {number}\n".encode())
        await writer.drain()
        await asyncio.sleep(0.02)
    await asyncio.Event().wait()


asyncio.run(main())
