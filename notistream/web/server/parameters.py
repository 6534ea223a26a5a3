"""What rows of the route table share: the version prefix, parameters and problem statuses."""

from notistream.domain.notification import CHANNEL_NAMES
from notistream.domain.validation import MAX_RECIPIENT_ID
from notistream.web.server.body import Nothing
from notistream.web.server.query import LARGEST_PAGE, PAGE_SIZE
from notistream.web.server.route import Answer, Content, Parameter

V1 = "/api/v1"
UUID = {"type": "string", "format": "uuid"}
MOMENT = {"type": "string", "format": "date-time"}
CHANNEL = Parameter(
    name="channel",
    description="Of this channel.",
    schema={"type": "string", "enum": list(CHANNEL_NAMES)},
)
PATH_CHANNEL = Parameter(
    name="channel",
    description="The channel.",
    schema={"type": "string", "enum": list(CHANNEL_NAMES)},
)
RECIPIENT_ID = Parameter(
    name="recipient_id",
    description="The sender's own id of the recipient.",
    schema={"type": "string", "minLength": 1, "maxLength": MAX_RECIPIENT_ID},
)

DONE = Answer(description="Done.", media_type=None)


CURSOR = Parameter(name="cursor", description="`next_cursor` of the page before.")
SIZE = Parameter(
    name="page_size",
    description="Entries per page.",
    schema={"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE_SIZE},
)
EMPTY_BODY = Content(type=Nothing, examples={"nothing": {}}, required=False)
BODY_PROBLEMS = (400, 401, 408, 413, 415, 422, 429, 503)
"""Problem statuses of every request with a body."""
CREATE_PROBLEMS, LIST_PROBLEMS, ITEM_PROBLEMS = (
    (*BODY_PROBLEMS, 409),
    (401, 422, 429, 503),
    (401, 404, 422, 429, 503),
)
