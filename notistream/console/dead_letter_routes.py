"""The rows of dead letters and of range replays."""

from notistream.console import dead_letters, replays
from notistream.console.route import acts, looks

DEAD_LETTERS = (
    looks("/dead-letters", dead_letters.show_many),
    looks("/dead-letters/preview", dead_letters.preview),
    looks("/dead-letters/{id}", dead_letters.show),
    acts("/dead-letters/replay", dead_letters.replay),
    acts("/dead-letters/replay-all", dead_letters.replay_all),
    acts("/dead-letters/delete", dead_letters.delete),
    looks("/replays", replays.show_many),
    looks("/replays/preview", replays.preview),
    acts("/replays", replays.start),
    acts("/replays/{id}/stop", replays.stop),
    acts("/replays/{id}/resume", replays.resume),
)
