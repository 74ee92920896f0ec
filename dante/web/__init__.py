"""The web interface: pages and a JSON API over the published database, read-only."""

from dante.web.app import create_app
from dante.web.serve import serve

__all__ = ["create_app", "serve"]
