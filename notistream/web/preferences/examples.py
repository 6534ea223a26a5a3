"""Examples of the OpenAPI document for preferences."""

from collections.abc import Mapping
from typing import Any

from notistream.db.preferences import StoredPreferences
from notistream.web.preferences import views

PREFERENCES: Mapping[str, Any] = {
    "channels": {
        "email": {
            "enabled": True,
            "quiet_hours": {"start": "22:00", "end": "08:00"},
            "frequency_cap": {"count": 5, "per": "day"},
        }
    },
    "categories": {"marketing": False},
}

USER_PREFERENCE = {
    "channel": "email",
    "enabled": True,
    "quiet_hours_start": "22:00",
    "quiet_hours_end": "08:00",
    "frequency_cap": 5,
    "frequency_window_minutes": 60,
    "timezone": "Europe/Istanbul",
}

USER_PREFERENCES = {"preferences": [USER_PREFERENCE, {"channel": "sms", "enabled": False}]}

STORED = StoredPreferences(**PREFERENCES)

PREFERENCES_SHOWN = {"preferences": views.preferences(STORED)}

USER_PREFERENCES_SHOWN = {
    "preferences": views.user_preferences(STORED, user_id="user-123", timezone="Europe/Istanbul")
}
