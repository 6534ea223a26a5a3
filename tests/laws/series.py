"""Every series that NotiStream serves, as it is called on the wire, with its labels."""

from prometheus_client.metrics import MetricWrapperBase

from notistream.observability import metrics

ENDINGS = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def _known() -> dict[str, set[str]]:
    known: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            for ending in ENDINGS[metric._type]:
                le = {"le"} if ending == "_bucket" else set()
                known[metric._name + ending] = {*metric._labelnames, *le}
    for family in metrics.REGISTRY.collect():
        if not family.name.startswith("notistream_"):
            known |= {sample.name: set(sample.labels) for sample in family.samples}
    return known


KNOWN = _known()
