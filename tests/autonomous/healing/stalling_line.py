"""A line between traders and venue whose connections fall silent on command: they stay open, and nothing moves on them
any more. New ones work. Nobody is told; a client sees it only by what doesn't come."""

import asyncio

from tests.chaos.bad_line import BadLine

UPGRADE = b"Upgrade: websocket"


class StallingLine(BadLine):
    """`made`: how many connections there were so far."""

    def __init__(self, venue_port: int) -> None:
        super().__init__(venue_port, seed=0)
        self.made = 0
        self._silent: set[int] = set()
        self._streams: set[int] = set()

    def stall(self, streams_only: bool = False) -> None:
        """All that there are now, or those of streams."""
        self._silent = set(self._streams if streams_only else range(self.made + 1))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.made += 1
        number = self.made
        try:
            there, out = await asyncio.open_connection("127.0.0.1", self.venue_port)
        except OSError:
            writer.close()  # the venue is dead: so is this line
            return
        for source, target in ((reader, out), (there, writer)):
            task = asyncio.ensure_future(self._pump(number, source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, number: int, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                if UPGRADE in data:
                    self._streams.add(number)
                if number in self._silent:
                    continue  # swallowed
                target.write(data)
                await target.drain()
        except OSError:
            pass  # an end was killed
        finally:
            target.close()
