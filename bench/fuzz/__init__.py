"""Requests generated from the OpenAPI document, against a real server."""
