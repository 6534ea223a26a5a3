"""Row of the route table: callbacks of vendors."""

from typing import Any

from notistream.web.callbacks import handlers
from notistream.web.server.route import Answer, Content, Operation, Parameter, Route

SNS = {
    "Type": "Notification",
    "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
    "TopicArn": "arn:aws:sns:eu-central-1:123456789012:receipts",
    "Timestamp": "2026-11-25T10:00:00.000Z",
    "Message": '{"eventType":"Delivery","mail":{"messageId":"0107019"}}',
    "SignatureVersion": "2",
    "Signature": "EXAMPLE",
    "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-abc.pem",
}

CALLBACKS = (
    Route(
        method="POST",
        path="/callbacks/{provider}",
        handler=handlers.receive,
        public=True,
        operation=Operation(
            id="receiveCallback",
            tag="Operations",
            summary="Take a vendor's receipt",
            description=(
                "For vendors, not for clients: delivery receipts, bounces and complaints in the"
                " vendor's own form (JSON or a form, at most 1 MiB), verified by its signature. A"
                " receipt that was there before changes nothing; one of a message that is not"
                " recorded yet waits for it. See docs/receipts.md."
            ),
            body=Content(type=dict[str, Any], examples={"SES through SNS": SNS}),
            path=(
                Parameter(
                    name="provider", description="A provider in use, such as `twilio` or `ses`."
                ),
            ),
            answers={204: Answer(description="Taken.", media_type=None)},
            problems=(400, 403, 404, 408, 413, 415, 503),
        ),
    ),
)
