"""The cost of idle WebSockets: memory and CPU of an API process without and with them."""

import asyncio
import time

import aiohttp
import click
import psutil


@click.command()
@click.option(
    "--url", default="http://127.0.0.1:8080", show_default=True, help="Of the API process."
)
@click.option("--pid", type=int, required=True, help="Its process id.")
@click.option("--count", default=1000, show_default=True)
@click.option(
    "--seconds", default=60, show_default=True, help="How long they wait; two pings each."
)
def main(url: str, pid: int, count: int, seconds: int) -> None:
    """Half of the sockets are status streams, half inbox streams of as many recipients."""
    asyncio.run(_measure(url, psutil.Process(pid), count, seconds))


async def _measure(url: str, api: psutil.Process, count: int, seconds: int) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await (await session.ws_connect(f"{url}/ws")).close()
        before, idle = api.memory_info().rss, await _cpu(api, seconds / 4)
        sockets, began = [], time.monotonic()
        for i in range(count):
            path = "/ws" if i % 2 else "/api/v1/inbox/stream"
            sockets.append(
                await session.ws_connect(url + path, headers={"X-Recipient-ID": f"user-{i}"})
            )
        opened = time.monotonic() - began
        readers = [asyncio.create_task(socket.receive()) for socket in sockets]
        waiting = await _cpu(api, seconds)
        grown = api.memory_info().rss - before
        alive = sum(not reader.done() for reader in readers)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*(socket.close() for socket in sockets))
    click.echo(
        f"{count} sockets: opened in {opened:.1f} s, alive after {seconds} s: {alive}; memory"
        f" +{grown / 2**20:.1f} MB ({grown / count / 1024:.1f} kB each, {before / 2**20:.0f} MB"
        f" before); CPU {100 * waiting:.2f} % of a core ({100 * idle:.2f} % before)"
    )


async def _cpu(process: psutil.Process, seconds: float) -> float:
    """Share of a core that the process uses over this time."""
    begun, at = sum(process.cpu_times()[:2]), time.monotonic()
    await asyncio.sleep(seconds)
    return float(sum(process.cpu_times()[:2]) - begun) / (time.monotonic() - at)


if __name__ == "__main__":
    main()
