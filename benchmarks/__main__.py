"""`python -m benchmarks`: start everything, measure in rounds, print the table, write the JSON."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import click
from rich.console import Console

from benchmarks import growth, phases, profiler, report, scenarios
from benchmarks.bench import GATES_ON, Bench, Watch, unwatched
from benchmarks.figures import Samples, rows
from benchmarks.phases import Phase
from benchmarks.picture import draw
from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.processes import BenchError, serving
from benchmarks.product import known, site
from benchmarks.scenarios import Scenario
from notistream.local.services import LocalServices, attach_or_start
from notistream.settings.reading import load_settings

RESULTS = Path(__file__).parent / "results"
PHASES: Mapping[str, tuple[Phase, ...]] = {
    "creates": (phases.creates,),
    "deliveries": (phases.ingest, phases.deliveries, phases.holding),
    "latency": (phases.latency,),
}
SCENARIOS: Mapping[str, Scenario] = {
    "isolation": scenarios.isolation,
    "telemetry": scenarios.telemetry,
    "priority": scenarios.priority,
    "fairness": scenarios.fairness,
    "scheduler": scenarios.scheduler,
    "start": growth.start,
    "workers": growth.workers,
}
WHOLE = (*PHASES, *SCENARIOS)
LONG: Mapping[str, Scenario] = {"million": growth.million}
"""Only measured when asked for."""
PARTS = (*WHOLE, *LONG)
BUSY = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line."""

    rounds: int | None
    quick: bool
    only: tuple[str, ...]
    given: tuple[str, ...]
    profile: bool
    raw: bool
    path: Path
    picture: Path | None

    @property
    def plan(self) -> Plan:
        """The full plan, or the small one, with the rounds that were asked for."""
        plan = QUICK if self.quick else FULL
        return replace(plan, rounds=self.rounds or plan.rounds)

    @property
    def settings(self) -> Mapping[str, str]:
        """Settings of the product."""
        given = dict(_setting(text) for text in self.given)
        return {"WORKER_CONCURRENCY": str(self.plan.in_flight), **given}

    @property
    def watch(self) -> Watch:
        """What runs around a measured process: a profiler, or nothing."""
        suffix = "txt" if self.raw else "svg"
        return partial(_profile, self.path.parent, suffix) if self.profile else unwatched


@click.command(help=__doc__)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    help="How often the figures with a bare limit are measured (3); the median counts.",
)
@click.option("--quick", is_flag=True, help="One small round: shows that it works, not how fast.")
@click.option(
    "--only", type=click.Choice(PARTS), multiple=True, help="Measure only this; can be repeated."
)
@click.option(
    "--set",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of the product, without prefix.",
)
@click.option(
    "--profile", is_flag=True, help="Record flame graphs of the worker and the API; slows both."
)
@click.option("--raw", is_flag=True, help="With --profile: stacks as text instead of SVG.")
@click.option(
    "--json",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=RESULTS / "latest.json",
    help="Where the result is written (default: benchmarks/results/latest.json).",
)
@click.option(
    "--picture", type=click.Path(path_type=Path, dir_okay=False), help="Also draw it there, as SVG."
)
def main(**options: Any) -> None:
    _measure(Options(**options))


def _measure(options: Options) -> None:
    plan, settings = options.plan, options.settings
    console = Console(width=None if sys.stdout.isatty() else 150)
    load = os.getloadavg()[0]
    console.print(
        f"{os.cpu_count()} cores, load {load:.2f}, {plan.rounds} round(s)", highlight=False
    )
    if load > BUSY:
        console.print("[yellow]the machine is busy: trust the ratios, not the figures[/]")
    try:
        samples, failed = asyncio.run(
            _run(console, plan, settings, options.only or WHOLE, options.watch)
        )
    except BenchError as exc:
        raise click.ClickException(str(exc)) from None
    except (asyncio.CancelledError, KeyboardInterrupt):  # all that was started has been ended
        raise click.Abort from None
    found = rows(samples)
    report.show(console, found, samples)
    document = report.document(found, samples, plan=plan, settings=settings, load=load)
    report.write(options.path, document)
    if options.picture is not None:
        options.picture.write_text(draw(found))
    console.print(f"written to {os.path.relpath(options.path)}")
    if failed:
        raise click.ClickException(f"not measured: {', '.join(failed)}")
    if samples.faults:
        raise click.ClickException("the product logged errors: its figures mean little")


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not known({name: value}):
        raise click.BadParameter(
            f"{text!r}: give NAME=VALUE, as in --set WORKER_CONCURRENCY=128", param_hint="--set"
        )
    return name.upper(), value


def _profile(folder: Path, suffix: str, name: str, pid: int) -> AbstractAsyncContextManager[None]:
    return profiler.recording(pid, folder / f"{name}.{suffix}")


async def _run(
    console: Console, plan: Plan, settings: Mapping[str, str], names: tuple[str, ...], watch: Watch
) -> tuple[Samples, list[str]]:
    """What was measured, and the names of the scenarios that could not be."""
    _stop_on_sigterm()
    failed, started = [], time.monotonic()

    def begins(what: str) -> None:
        console.print(f"{time.monotonic() - started:4.0f} s  {what}", highlight=False)

    async with _bench(console, plan, settings, watch) as bench:
        await phases.ceiling(bench, 0)
        for turn in range(plan.rounds):
            for phase in (phase for name in names for phase in PHASES.get(name, ())):
                begins(f"round {turn + 1}: {phase.__name__}")
                await phase(bench, turn)
        for name, scenario in {**SCENARIOS, **LONG}.items():
            if name not in names:
                continue
            begins(name)
            try:
                await scenario(bench)
            except BenchError as exc:  # minutes of other figures are worth showing
                console.print(f"[red]{name}:[/] {exc}", highlight=False)
                failed.append(name)
    begins("done")
    return bench.samples, failed


def _stop_on_sigterm() -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


@asynccontextmanager
async def _bench(
    console: Console, plan: Plan, settings: Mapping[str, str], watch: Watch
) -> AsyncIterator[Bench]:
    """Services, receiver, bare API and two sites of the product, all ended with the block."""
    async with AsyncExitStack() as stack:
        services = await _services(stack, console.print)
        endpoints = services.endpoints
        http = await stack.enter_async_context(aiohttp.ClientSession())
        folder = Path(tempfile.mkdtemp(prefix="notistream-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        receiver = await stack.enter_async_context(serving("benchmarks.receiver"))
        bare_api = await stack.enter_async_context(serving("benchmarks.bare_api"))
        settings = {**settings, "WEBHOOK_URL": f"{receiver.url}/"}
        samples = Samples()
        new_site = partial(site, http, endpoints, folder, samples.faults)
        yield Bench(
            plan=plan,
            http=http,
            brokers=endpoints.kafka_brokers,
            receiver=receiver,
            watch=watch,
            samples=samples,
            intake=await stack.enter_async_context(new_site(settings)),
            line=await stack.enter_async_context(new_site(settings)),
            fresh=lambda more={}: new_site({**GATES_ON, **settings, **more}),
            bare_api=bare_api,
            services={"postgres": services.postgres.process, "kafka": services.kafka.process},
        )


async def _services(stack: AsyncExitStack, say: Callable[[str], None]) -> LocalServices:
    """Kafka and PostgreSQL: those that the settings name, else the embedded ones."""
    settings = load_settings()
    if settings.kafka.protocol != "PLAINTEXT":
        raise SystemExit(
            "the bare limits speak PLAINTEXT: name such a listener in NOTISTREAM_KAFKA_BROKERS"
        )
    services = await asyncio.to_thread(
        attach_or_start,
        settings.state_dir,
        say,
        database_url=settings.database_url,
        kafka_brokers=settings.kafka_brokers,
    )
    stack.callback(services.release)
    return services


if __name__ == "__main__":
    main()
