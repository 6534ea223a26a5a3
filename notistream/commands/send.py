"""`notistream send`: one notification through a running API, from the shell."""

import json
import urllib.error
import urllib.request

import click

from notistream.settings.reading import load_settings


@click.command()
@click.argument("channel")
@click.argument("recipient")
@click.argument("content")
@click.option(
    "--priority",
    type=click.Choice(["high", "normal", "low"]),
    default="normal",
    show_default=True,
    help="Which lane it takes, and how often it is tried again.",
)
@click.option(
    "--key",
    envvar="API_KEY",
    help="API key, where keys are required (or API_KEY in the environment).",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output: the API's answer.")
def send(
    channel: str, recipient: str, content: str, priority: str, key: str | None, *, as_json: bool
) -> None:
    """Send CONTENT to RECIPIENT over CHANNEL; print its id and how to trace it."""
    settings = load_settings()
    body = {"channel": channel, "recipient": recipient, "content": content, "priority": priority}
    request = urllib.request.Request(
        f"http://{settings.host}:{settings.port}/api/v1/notifications",
        method="POST",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **({"X-API-Key": key} if key else {})},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            accepted = answer.read().decode()
    except urllib.error.HTTPError as exc:
        raise click.ClickException(_reason(exc.read().decode(errors="replace"))) from exc
    except OSError as exc:
        raise click.ClickException(
            f"no API at {request.full_url}: {exc}; start one with `make run`"
        ) from exc
    click.echo(accepted if as_json else _accepted(json.loads(accepted)))


def _accepted(notification: dict[str, str]) -> str:
    return f"accepted {notification['id']}\nto follow it: notistream trace {notification['id']}"


def _reason(answer: str) -> str:
    """What is wrong, in the API's words; the answer as it is when it comes from something else."""
    try:
        return str(json.loads(answer)["detail"])
    except (ValueError, LookupError, TypeError):
        return answer
