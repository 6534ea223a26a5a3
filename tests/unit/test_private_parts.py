"""What `notistream.compat` relies on in other libraries is there, and is called as it is called."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiokafka
import pytest
from faust.stores import rocksdb
from faust.tables.manager import TableManager

from notistream import compat

FOLDER = Path(compat.__file__).parent
IN_INIT = "set in __init__"
PROPERTY = "property"

RELIED_ON = {
    "aiohttp.py": {
        "aiohttp.web_protocol:RequestHandler._request_in_progress": IN_INIT,
        "aiohttp.web_protocol:RequestHandler._request_count": IN_INIT,
        "aiohttp.web_protocol:RequestHandler.force_close": "self",
    },
    "aiokafka.py": {
        "aiokafka:AIOKafkaConsumer._fetch_max_wait_ms": IN_INIT,
        "aiokafka:AIOKafkaConsumer._client": IN_INIT,
        "aiokafka.client:AIOKafkaClient.send": "self, node_id, request, *, group=<ConnectionGroup.DEFAULT: 0>",
        "aiokafka.protocol.fetch:FetchRequest._max_wait_ms": IN_INIT,
        "aiokafka.protocol.fetch:FetchRequest._topics": IN_INIT,
        "aiokafka.protocol.fetch:FetchRequest.topics": PROPERTY,
        "aiokafka.protocol.fetch:FetchRequest.build": "self, request_struct_class",
    },
    "faust.py": {
        "faust.app.base:App._wait_for_table_recovery_completed": "self",
        "faust.app.base:App._new_transport": "self",
        "faust.app.base:App._assignment": "None",
        "faust.app.base:BootStrategy.agents": "self",
        "faust.app.base:BootStrategy.enable_kafka": "True",
        "faust.tables.manager:TableManager.on_start": "self",
        "faust.tables.manager:TableManager._update_channels": "self",
        "faust.tables.manager:TableManager.recovery": PROPERTY,
        "faust.worker:Worker._setup_logging": "self",
        "faust.worker:Worker._schedule_shutdown": "self, signal",
        "faust.worker:Worker._on_startup_end_spinner": "self",
        "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread._create_worker_consumer": (
            "self, transport"
        ),
        "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread._ensure_consumer": "self",
        "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread.call_thread": (
            "self, fun, *args, **kwargs"
        ),
        "faust.transport.drivers.aiokafka:Consumer.verify_all_partitions_active": "self",
        "faust.transport.drivers.aiokafka:Consumer.verify_recovery_event_path": "self, now, tp",
        "faust.transport.drivers.aiokafka:Consumer._new_consumer_thread": "self",
        "faust.transport.consumer:Consumer.unacked": PROPERTY,
        "faust.web.drivers.aiohttp:Web._runner": IN_INIT,
    },
    "rocksdict.py": {
        "faust.stores.rocksdb:Store._db_for_partition": "self, partition",
        "faust.stores.rocksdb:Store._dbs": IN_INIT,
        "faust.stores.rocksdb:Store.partition_path": "self, partition",
        "faust.stores.rocksdb:Store.rocksdb_options": IN_INIT,
        "faust.stores.rocksdb:Store.offset_key": repr(b"__faust\0offset__"),
        "faust.stores.rocksdb:RocksDBOptions.open": "self, path, *, read_only=False",
        "rocksdict:Rdict.get": "self, key, default=None, read_opt=None",
        "rocksdict:Rdict.close": "self",
        "rocksdict:Rdict.iter": "self, read_opt=None",
        "rocksdict:RdictIter.seek_to_first": "self",
        "rocksdict:RdictIter.valid": "self",
        "rocksdict:RdictIter.next": "self",
        "rocksdict:RdictIter.status": "self",
    },
}
"""Per module: what it reaches, and its parameters with their defaults, or its value."""


def faults() -> Iterator[str]:
    """What is no longer as it is relied on: where it is used, what it was, what it is."""
    for module, names in RELIED_ON.items():
        for place, expected in names.items():
            found = as_found(place, expected)
            if found != expected:
                attribute = place.rpartition(".")[2]
                where = f"notistream/compat/{module}:{line_of(module, attribute)}"
                yield f"{where} relies on {place} ({expected}); installed is: {found}"


def as_found(place: str, expected: str) -> str:
    """What the installed library has at a place, in the form of RELIED_ON."""
    module, _, path = place.partition(":")
    owner_name, _, name = path.partition(".")
    owner = getattr(importlib.import_module(module), owner_name, None)
    if owner is None:
        return "nothing"
    if expected.startswith("set in "):
        method = getattr(owner, expected.removeprefix("set in "), None)
        return expected if method and sets(method, name) else "nothing"
    found = inspect.getattr_static(owner, name, None)
    if found is None and name not in dir(owner):
        return "nothing"
    if isinstance(found, property):
        return PROPERTY
    return parameters(getattr(owner, name)) if callable(getattr(owner, name)) else repr(found)


def sets(method: Any, name: str) -> bool:
    return re.search(rf"\bself\.{name}\b(: [^=\n]+)? = ", inspect.getsource(method)) is not None


def parameters(function: Any) -> str:
    """Names and defaults, without types."""
    shown = []
    for parameter in inspect.signature(function).parameters.values():
        kept = parameter.replace(annotation=inspect.Parameter.empty)
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        shown.append(str(kept))
    return ", ".join(shown)


def line_of(module: str, attribute: str) -> int:
    lines = (FOLDER / module).read_text("utf-8").splitlines()
    return next((n for n, line in enumerate(lines, start=1) if attribute in line), 0)


def test_every_private_part_is_as_it_is_relied_on():
    assert list(faults()) == []


def test_every_reach_is_listed():
    """A private name that a module of `compat` uses stands in its list."""
    for module in sorted(path.name for path in FOLDER.glob("*.py") if path.name != "__init__.py"):
        listed = {place.rpartition(".")[2] for place in RELIED_ON[module]}
        tree = ast.parse((FOLDER / module).read_text("utf-8"))
        own = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        }
        used = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and node.attr.startswith("_")
        }
        overridden = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and re.match(r"_[a-z]", node.name)
        }
        reached = {name for name in used | overridden if not name.startswith("__")}
        assert reached - listed - own == set(), f"notistream/compat/{module} uses unlisted names"


@pytest.mark.parametrize(
    ("owner", "name"),
    [(TableManager, "_update_channels"), (rocksdb.Store, "_db_for_partition")],
    ids=["faust", "rocksdict"],
)
def test_a_renamed_private_part_is_named(monkeypatch, owner, name):
    monkeypatch.setattr(owner, name + "_renamed", getattr(owner, name), raising=False)
    monkeypatch.delattr(owner, name)
    fault = next(fault for fault in faults() if f".{name} " in fault)
    assert re.match(r"notistream/compat/\w+\.py:[1-9]\d* relies on ", fault)


def test_a_changed_constructor_is_named(monkeypatch):
    def __init__(self) -> None:  # noqa: N807 - stands for that of a later version
        self._fetch_wait = 500

    monkeypatch.setattr(aiokafka.AIOKafkaConsumer, "__init__", __init__)
    assert [fault for fault in faults() if "AIOKafkaConsumer._fetch_max_wait_ms" in fault]


def test_a_changed_default_is_named(monkeypatch):
    def force_close(self, abort=True):
        """Stands for a later version's."""

    handler = importlib.import_module("aiohttp.web_protocol").RequestHandler
    monkeypatch.setattr(handler, "force_close", force_close)
    (fault,) = faults()
    assert fault.endswith("RequestHandler.force_close (self); installed is: self, abort=True")
