"""Reading settings: from the environment and `.env`, with an answer in words to every mistake."""

import os
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings
from pydantic_settings.exceptions import SettingsError

from notistream.errors import Misconfigured
from notistream.settings import plugins
from notistream.settings.environment import read_dotenv, refuse_unknown
from notistream.settings.model import PREFIX, Settings

M = TypeVar("M", bound=BaseSettings)


def load_settings(**overrides: object) -> Settings:
    """Read the settings; raise Misconfigured, which names each wrong one and a good value."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    known.update(name for plugin in plugins.installed().values() for name in plugin.settings())
    for place, given in (("the environment", os.environ), (".env", read_dotenv(Path(".env")))):
        refuse_unknown(given, known, prefix=PREFIX, place=place)
    return read_settings(Settings, **overrides)


def read_settings(model: type[M], **overrides: Any) -> M:
    """Read the settings of the product, or of a provider.

    Raise Misconfigured that names each wrong one.
    """
    prefix = model.model_config.get("env_prefix", "")
    try:
        return model(**overrides)
    except SettingsError as exc:
        field = str(exc).split('"')[1]
        about = model.model_fields[field].description or ""
        raise Misconfigured(f"{prefix}{field.upper()} is not JSON. {about}") from None
    except ValidationError as exc:
        raise Misconfigured("\n".join(_explain(model, error) for error in exc.errors())) from None


def _explain(model: type[BaseSettings], error: object) -> str:
    assert isinstance(error, dict)
    prefix = model.model_config.get("env_prefix", "")
    name = ".".join(str(part) for part in error["loc"]).upper()
    if not name:
        words = str(error["msg"].removeprefix("Value error, "))
        return words if words.startswith(prefix) else f"{prefix}… {words}"
    field = model.model_fields.get(name.split(".")[0].lower())
    about = f" {field.description}" if field and field.description else ""
    if error["type"] == "missing":
        return f"{prefix}{name} is missing.{about}"
    default = field.get_default(call_default_factory=True, validated_data={}) if field else None
    good = f" (for example {prefix}{name}={default})" if default not in (None, {}) else ""
    shown = "" if _secret(name, field) else f", not {error['input']!r}"
    return f"{prefix}{name}: {error['msg'].removeprefix('Value error, ')}{shown}.{about}{good}"


def _secret(name: str, field: FieldInfo | None) -> bool:
    return name == "DATABASE_URL" or field is None or "SecretStr" in str(field.annotation)
