"""Examples of the OpenAPI document for pauses."""

from notistream.db.pauses import Pause, StoredPause
from notistream.web.notifications.examples import NOW

PAUSED = StoredPause(Pause("sms", "webhook"), "the vendor repairs something", NOW)
