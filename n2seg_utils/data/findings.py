"""One sentence about the data, and how serious it is."""

from dataclasses import dataclass

from ..words import some

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = ERROR, WARNING, NOTE
_NAMED = 3  # files that are named one by one


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


def merged(findings):
    """The findings, with one in place of many that say the same of different files."""
    same = {}
    for finding in findings:
        same.setdefault((finding.severity, finding.remedy, finding.message.split(":")[0]), []).append(finding)
    found = []
    for (severity, remedy, _), alike in same.items():
        if len(alike) <= _NAMED or severity == ERROR:
            found += alike
            continue
        names = some([finding.file for finding in alike], _NAMED)
        found.append(Finding(severity, "", f"{names}: each {alike[0].message}", remedy))
    return found
