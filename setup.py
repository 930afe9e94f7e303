"""The packages of the wheel; everything else is in pyproject.toml.

The page and the configuration file are top-level folders of the checkout. In the wheel they are in
`warm/shipped`, so that no folder `web` or `configs` is installed among other packages.
"""

from setuptools import find_packages, setup

CODE = ("api", "chat", "isolation", "session", "stabilizers", "stt", "tts", "warm", "wheels")
DATA = {"warm.engines.viseme.recogniser": ["weights.npz"]}
"""Files other than modules in packages."""
SHIPPED = {"warm.shipped.web": "web", "warm.shipped.configs": "configs"}

setup(
    packages=[
        *find_packages(include=[*CODE, *(f"{name}.*" for name in CODE)]),
        *SHIPPED,
    ],
    package_dir=SHIPPED,
    package_data={**DATA, **{name: ["**/*"] for name in SHIPPED}},
)
