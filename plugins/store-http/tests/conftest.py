from zcollection.testing.web import web_server

__all__ = ["web_server"]
