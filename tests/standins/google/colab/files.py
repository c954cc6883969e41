"""Downloads to the user's computer; here they are only noted."""

import os

downloaded = []


def download(filename):
    if not os.path.exists(filename):
        raise FileNotFoundError(f"Cannot find file: {filename}")
    downloaded.append(filename)
