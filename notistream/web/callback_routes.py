"""Row of the route table: callbacks of vendors."""

from notistream.web import callbacks
from notistream.web.route import Answer, Operation, Parameter, Route

CALLBACKS = (
    Route(method="POST", path="/callbacks/{provider}", handler=callbacks.receive, public=True, operation=Operation(
        id="receiveCallback", tag="Operations", summary="Take a vendor's receipt",
        description="For vendors, not for clients: delivery receipts, bounces and complaints in the vendor's own form "
        "(JSON or a form, at most 1 MiB), verified by its signature. A receipt that was there before changes nothing; "
        "one of a message that is not recorded yet waits for it. See docs/receipts.md.",
        path=(Parameter(name="provider", description="A provider in use, such as `twilio` or `ses`."),),
        answers={204: Answer(description="Taken.", media_type=None)},
        problems=(400, 403, 404, 408, 413, 415, 503),
    )),
)
