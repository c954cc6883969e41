"""One sentence about the data, and how serious it is."""

from dataclasses import dataclass

ERROR, WARNING, NOTE = "error", "warning", "note"


@dataclass(frozen=True)
class Finding:
    """One sentence about the data.

    Attributes
    ----------
    severity : str
        "error": must change first. "warning": will work, perhaps not well. "note": good to know.
    file : str
        The file it is about; empty if about all.
    message, remedy : str
        What is so, and what to do.
    """

    severity: str
    file: str
    message: str
    remedy: str = ""

    def __str__(self):
        name = f"{self.file}:" if self.file not in self.message else ""
        return " ".join(part for part in (name, self.message, self.remedy) if part)
