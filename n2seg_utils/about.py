"""The project's name, version and address: the one place they are written."""

VERSION = "0.1.0"
ADDRESS = "https://github.com/noise2seg/noise2seg-notebooks"
TAG = f"v{VERSION}"
INSTALL = f"git+{ADDRESS}@{TAG}"
PICTURES = f"{ADDRESS.replace('github.com', 'raw.githubusercontent.com')}/{TAG}/docs"  # as files, not as pages

# Versions that the whole test suite last passed with, a row for Colab and one for a local computer.
TESTED = {
    "colab": {"python": "3.13", "tensorflow": "2.20.0", "keras": "3.13.2", "numpy": "2.1.3", "ipywidgets": "7.7.1"},
    "local": {"python": "3.11", "tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.4.6", "ipywidgets": "8.1.9"},
}
