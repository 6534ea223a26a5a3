"""Examples of the OpenAPI document for probes and figures."""

from notistream.db.stats import ChannelTotals
from notistream.domain.notification import CHANNELS
from notistream.web.health import views

FIGURES = {
    "figures": views.figures(
        {
            name: ChannelTotals(1200, 3, 9640.0) if name == "sms" else ChannelTotals()
            for name in CHANNELS
        }
    )
}

ALIVE = {"alive": {"status": "alive"}}

READY = {"ready": {"status": "ready", "checks": {"database": "healthy", "kafka": "healthy"}}}

NOT_READY = {
    "not ready": {
        "status": "not_ready",
        "checks": {"database": "healthy", "kafka": "unreachable: no broker answers"},
    }
}
