"""`python -m benchmarks`: starts everything, measures round by round, prints the table, writes the JSON."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import aiohttp
import click
from rich.console import Console

from benchmarks import phases, processes, profiler, report
from benchmarks.figures import Samples, rows
from benchmarks.phases import Bench, Phase
from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.processes import BenchError, free_port
from benchmarks.product import Role, known, site
from notistream.config import load_settings
from notistream.local.services import LocalServices, attach_or_start

RESULTS = Path(__file__).parent / "results"
PHASES: Mapping[str, tuple[Phase, ...]] = {
    "creates": (phases.creates,),
    "deliveries": (phases.ingest, phases.deliveries),
    "latency": (phases.latency,),
}
LIMITED: Mapping[str, tuple[Phase, ...]] = {
    **PHASES, "deliveries": (phases.ingest, phases.deliveries, phases.limited_deliveries)}
BUSY = 0.5


@click.command(help=__doc__)
@click.option("--rounds", type=click.IntRange(1), help="How often everything is measured; the median counts.")
@click.option("--quick", is_flag=True, help="One small round: shows that it works, not how fast.")
@click.option("--only", type=click.Choice(list(PHASES)), multiple=True, help="Measure only this; can be repeated.")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="A setting of the product, without prefix.")
@click.option("--profile", is_flag=True, help="Record flame graphs of the worker and the API; slows both.")
@click.option("--raw", is_flag=True, help="With --profile: stacks as text instead of SVG.")
@click.option("--json", "path", type=click.Path(path_type=Path, dir_okay=False), default=RESULTS / "latest.json",
              help="Where the result is written (default: benchmarks/results/latest.json).")
def main(
    *, rounds: int | None, quick: bool, only: tuple[str, ...], given: tuple[str, ...], profile: bool, raw: bool,
    path: Path,
) -> None:
    plan = QUICK if quick else FULL
    plan = replace(plan, rounds=rounds or plan.rounds)
    settings = {"WORKER_CONCURRENCY": str(plan.in_flight), **dict(_setting(text) for text in given)}
    suffix = "txt" if raw else "svg"
    watch = partial(_profile, path.parent, suffix) if profile else phases.unwatched
    console = Console(width=None if sys.stdout.isatty() else 150)
    load = os.getloadavg()[0]
    console.print(f"{os.cpu_count()} cores, load {load:.2f}, {plan.rounds} round(s)", highlight=False)
    if load > BUSY:
        console.print("[yellow]something else is running: trust the ratios, not the figures[/]")
    try:
        samples = asyncio.run(_run(console, plan, settings, only or tuple(PHASES), watch))
    except BenchError as exc:
        raise click.ClickException(str(exc)) from None
    except (asyncio.CancelledError, KeyboardInterrupt):  # all that was started has been ended
        raise click.Abort from None
    found = rows(samples)
    report.show(console, found, samples)
    report.write(path, report.document(found, samples, plan=plan, settings=settings, load=load))
    console.print(f"written to {os.path.relpath(path)}")


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not known({name: value}):
        raise click.BadParameter(f"{text!r}: give NAME=VALUE, as in --set WORKER_CONCURRENCY=128", param_hint="--set")
    return name.upper(), value


def _profile(folder: Path, suffix: str, name: str, pid: int) -> AbstractAsyncContextManager[None]:
    return profiler.recording(pid, folder / f"{name}.{suffix}")


async def _run(
    console: Console, plan: Plan, settings: Mapping[str, str], names: tuple[str, ...], watch: phases.Watch
) -> Samples:
    _stop_on_sigterm()
    async with _bench(console, plan, settings, watch) as bench:
        await phases.ceiling(bench, 0)
        known_limits = known({"RECIPIENT_RATE_LIMIT": "0"})
        for turn in range(plan.rounds):
            for name in names:
                for phase in (LIMITED if known_limits else PHASES)[name]:
                    console.print(f"round {turn + 1}: {phase.__name__}", highlight=False)
                    await phase(bench, turn)
        return bench.samples


def _stop_on_sigterm() -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


@asynccontextmanager
async def _bench(
    console: Console, plan: Plan, settings: Mapping[str, str], watch: phases.Watch
) -> AsyncIterator[Bench]:
    """Services, receiver, bare API and two sites of the product, all ended with the block."""
    async with AsyncExitStack() as stack:
        services = await _services(stack, console.print)
        endpoints = services.endpoints
        http = await stack.enter_async_context(aiohttp.ClientSession())
        folder = Path(tempfile.mkdtemp(prefix="notistream-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        receiver = await _helper(stack, "benchmarks.receiver")
        bare_api = await _helper(stack, "benchmarks.bare_api")
        settings = {**settings, "WEBHOOK_URL": f"{receiver.url}/"}
        yield Bench(
            plan=plan, http=http, brokers=endpoints.kafka_brokers, receiver=receiver, watch=watch,
            intake=await stack.enter_async_context(site(http, endpoints, folder, settings)),
            line=await stack.enter_async_context(site(http, endpoints, folder, settings)),
            bare_api=phases.port_of(bare_api),
            services={"postgres": services.postgres.process, "kafka": services.kafka.process})


async def _services(stack: AsyncExitStack, say: Callable[[str], None]) -> LocalServices:
    """Kafka and PostgreSQL: those that the settings name, or the embedded ones, which may run already."""
    settings = load_settings()
    services = await asyncio.to_thread(
        attach_or_start, settings.state_dir, say, database_url=settings.database_url,
        kafka_brokers=settings.kafka_brokers)
    stack.callback(services.release)
    return services


async def _helper(stack: AsyncExitStack, module: str) -> Role:
    port = free_port()
    child = await stack.enter_async_context(processes.running(module, str(port)))
    await processes.listening(port)
    return Role(child.pid, f"http://127.0.0.1:{port}", Path(os.devnull))


if __name__ == "__main__":
    main()
