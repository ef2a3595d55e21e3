import asyncio, logging, threading

logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
log = logging.getLogger("app")
log.info("starting")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("the division failed")
log.info("still here")

def work():
    raise OSError("in a thread")

thread = threading.Thread(target=work, name="worker-1")
thread.start()
thread.join()
log.info("after the thread")

async def main():
    async def bad():
        raise ValueError("in a task")
    task = asyncio.create_task(bad())
    await asyncio.sleep(0.01)
    del task
    log.info("after the task")

asyncio.run(main())

class Bad:
    def __del__(self):
        raise RuntimeError("in a destructor")

Bad()
log.warning("shutting down")
