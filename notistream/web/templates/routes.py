"""Rows of the route table: templates, with their examples."""

from dataclasses import replace

from notistream.db.records import StoredTemplateVersion
from notistream.domain.notification import CHANNELS
from notistream.domain.template_preview import preview
from notistream.domain.template_text import TemplateText, TemplateVersion
from notistream.web.server.parameters import (
    BODY_PROBLEMS,
    CHANNEL,
    CREATE_PROBLEMS,
    CURSOR,
    ITEM_PROBLEMS,
    LIST_PROBLEMS,
    SIZE,
    V1,
)
from notistream.web.server.route import Answer, Content, Operation, Parameter, Route
from notistream.web.templates import examples, handlers, views
from notistream.web.templates.bodies import (
    CreateTemplate,
    PreviewStored,
    PreviewUnsaved,
    ReplaceTemplate,
)

LOCALISED = {
    "name": "order_shipped",
    "channel": "email",
    "subject": "Your order {{ order.number }} is on its way",
    "body": "Hello {{ name }}, it arrives {{ day|default('soon') }}.",
    "html": "<p>Hello {{ name }}, it arrives <b>{{ day|default('soon') }}</b>.</p>",
    "variants": {
        "pt": {
            "subject": "A encomenda {{ order.number }} está a caminho",
            "body": "Olá {{ name }}!",
        }
    },
}
REPLACEMENT = {"version": 1, "body": "Hello {{.Name}}! Your code: {{.Code}}."}
VALUES = {"template_variables": {"Name": "Mehmet"}, "locale": "pt-BR"}
UNSAVED = {
    "channel": "sms",
    "body": "Olá {{ name }}! 😀",
    "template_variables": {"name": "Ana", "city": "Porto"},
}

REPLACED = replace(
    examples.STORED_TEMPLATE,
    version=2,
    content=TemplateVersion(TemplateText(None, str(REPLACEMENT["body"]))),
)
VERSIONS = [
    StoredTemplateVersion(one.version, one.content, one.updated_at)
    for one in (REPLACED, examples.STORED_TEMPLATE)
]
SHOWN = {"stored": views.template(examples.STORED_TEMPLATE)}
PREVIEWED = views.preview(
    preview(
        TemplateText(None, str(UNSAVED["body"])),
        {"name": "Ana", "city": "Porto"},
        channel="sms",
        limit=CHANNELS["sms"].max_length,
    ),
    None,
)

STORED = Content(type=views.TemplateView, examples=SHOWN)
PREVIEW = Answer(
    description="What would be sent, or why it would not.",
    content=Content(type=views.TemplatePreviewView, examples={"sms": PREVIEWED}),
)

TEMPLATES = (
    Route(
        method="POST",
        path=V1 + "/templates",
        handler=handlers.create,
        operation=Operation(
            id="createTemplate",
            tag="Templates",
            summary="Store a template",
            description=(
                "A tenant's own template is used before a starter template of the same name and"
                " channel."
            ),
            body=Content(
                type=CreateTemplate,
                examples={"welcome": examples.TEMPLATE, "localised e-mail": LOCALISED},
            ),
            answers={
                201: Answer(
                    description="Stored.", content=STORED, headers={"Location": "The template."}
                )
            },
            problems=CREATE_PROBLEMS,
        ),
    ),
    Route(
        method="GET",
        path=V1 + "/templates",
        handler=handlers.show_many,
        operation=Operation(
            id="listTemplates",
            tag="Templates",
            summary="List the tenant's own templates, newest first",
            query=(
                CHANNEL,
                Parameter(name="name", description="Of exactly this name."),
                CURSOR,
                SIZE,
            ),
            answers={
                200: Answer(
                    description="A page.",
                    content=Content(
                        type=views.TemplatePage,
                        examples={"page": views.template_page([examples.STORED_TEMPLATE], 20)},
                    ),
                )
            },
            problems=LIST_PROBLEMS,
        ),
    ),
    Route(
        method="POST",
        path=V1 + "/templates/preview",
        handler=handlers.preview_unsaved,
        operation=Operation(
            id="previewUnsavedTemplate",
            tag="Templates",
            summary="Render a template that is not stored",
            body=Content(type=PreviewUnsaved, examples={"sms": UNSAVED}),
            answers={200: PREVIEW},
            problems=BODY_PROBLEMS,
        ),
    ),
    Route(
        method="GET",
        path=V1 + "/templates/{id}",
        handler=handlers.show,
        operation=Operation(
            id="getTemplate",
            tag="Templates",
            summary="Show a template",
            answers={200: Answer(description="The template.", content=STORED)},
            problems=ITEM_PROBLEMS,
        ),
    ),
    Route(
        method="PUT",
        path=V1 + "/templates/{id}",
        handler=handlers.replace,
        operation=Operation(
            id="replaceTemplate",
            tag="Templates",
            summary="Store the next version of a template",
            description=(
                "Notifications that were accepted before keep their version, also when they are"
                " tried again or replayed. Starter templates cannot be replaced (409)."
            ),
            body=Content(type=ReplaceTemplate, examples={"next version": REPLACEMENT}),
            answers={
                200: Answer(
                    description="Stored.",
                    content=Content(
                        type=views.TemplateView,
                        examples={"second version": views.template(REPLACED)},
                    ),
                )
            },
            problems=(*CREATE_PROBLEMS, 404),
        ),
    ),
    Route(
        method="DELETE",
        path=V1 + "/templates/{id}",
        handler=handlers.delete,
        operation=Operation(
            id="deleteTemplate",
            tag="Templates",
            summary="Delete a template",
            description=(
                "Its name is free at once. Notifications that were accepted with it are still"
                " delivered with it. Starter templates cannot be deleted (409)."
            ),
            answers={204: Answer(description="Done.", media_type=None)},
            problems=(*ITEM_PROBLEMS, 409),
        ),
    ),
    Route(
        method="GET",
        path=V1 + "/templates/{id}/versions",
        handler=handlers.show_versions,
        operation=Operation(
            id="listTemplateVersions",
            tag="Templates",
            summary="List the versions of a template, newest first",
            query=(CURSOR, SIZE),
            answers={
                200: Answer(
                    description="A page.",
                    content=Content(
                        type=views.TemplateVersionPage,
                        examples={"page": views.version_page(VERSIONS, 20)},
                    ),
                )
            },
            problems=ITEM_PROBLEMS,
        ),
    ),
    Route(
        method="POST",
        path=V1 + "/templates/{id}/preview",
        handler=handlers.preview,
        operation=Operation(
            id="previewTemplate",
            tag="Templates",
            summary="Render a template or a starter with values",
            body=Content(type=PreviewStored, examples={"values": VALUES}),
            answers={200: PREVIEW},
            problems=(*BODY_PROBLEMS, 404),
        ),
    ),
)
