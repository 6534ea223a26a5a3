"""Route of the audit log."""

from notistream.console.audit_log import handlers
from notistream.console.shell.route import page_route

ROUTES = (page_route("/audit-log", handlers.show),)
