"""The project's name, version and address: the one place they are written."""

VERSION = "0.1.0"
ADDRESS = "https://github.com/noise2seg/noise2seg-notebooks"
TAG = f"v{VERSION}"
INSTALL = f"git+{ADDRESS}@{TAG}"
