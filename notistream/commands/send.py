"""`notistream send`: one notification through a running API, from the shell."""

import json
import urllib.error
import urllib.request

import click

from notistream.config import load_settings


@click.command()
@click.argument("channel")
@click.argument("recipient")
@click.argument("content")
@click.option("--priority", type=click.Choice(["high", "normal", "low"]), default="normal", show_default=True,
              help="Which lane it takes, and how often it is tried again.")
@click.option("--key", envvar="API_KEY", help="API key, where keys are required (or API_KEY in the environment).")
def send(channel: str, recipient: str, content: str, priority: str, key: str | None) -> None:
    """Send CONTENT to RECIPIENT over CHANNEL; prints the accepted notification."""
    settings = load_settings()
    body = {"channel": channel, "recipient": recipient, "content": content, "priority": priority}
    request = urllib.request.Request(
        f"http://{settings.host}:{settings.port}/api/v1/notifications", method="POST",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **({"X-API-Key": key} if key else {})},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            click.echo(answer.read().decode())
    except urllib.error.HTTPError as exc:
        raise click.ClickException(exc.read().decode()) from exc
    except OSError as exc:
        raise click.ClickException(f"no API at {request.full_url}: {exc}; start one with `make run`") from exc
