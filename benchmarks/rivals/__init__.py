"""This package beside its rivals: the same images, the same machine, the same run."""
