"""Configuration for `gunicorn 'app:create_app()'`, which reads this file where it is started."""

from api.server.gunicorn_config import *  # noqa: F403
