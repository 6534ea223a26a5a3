"""The rows of dead letters and of range replays."""

from notistream.console import dead_letters, replays
from notistream.console.route import action_route, page_route

DEAD_LETTERS = (
    page_route("/dead-letters", dead_letters.show_many),
    page_route("/dead-letters/preview", dead_letters.preview),
    page_route("/dead-letters/{id}", dead_letters.show),
    action_route("/dead-letters/replay", dead_letters.replay),
    action_route("/dead-letters/replay-all", dead_letters.replay_all),
    action_route("/dead-letters/delete", dead_letters.delete),
    page_route("/replays", replays.show_many),
    page_route("/replays/preview", replays.preview),
    action_route("/replays", replays.start),
    action_route("/replays/{id}/stop", replays.stop),
    action_route("/replays/{id}/resume", replays.resume),
)
