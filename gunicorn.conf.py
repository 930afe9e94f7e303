"""Configuration for `gunicorn 'app:create_app()'`, which finds it in its working directory."""

from api.server.gunicorn_config import *  # noqa: F403
