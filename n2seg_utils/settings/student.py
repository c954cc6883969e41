"""What a student is, that learns from another program's masks, and which settings go with it."""

# Name -> levels and width of its U-Net. The first has the 4.4 million weights of students that were taught by Omnipose.
STUDENTS = {"original": (4, 24), "small": (3, 16), "tiny": (3, 8)}
AUTO, OWN = "auto", "own"


def with_student(settings, gpu):
    """The settings, with depth and width of the network as the student has them.

    Parameters
    ----------
    settings : SegmentSettings
    gpu : bool
        Whether a GPU computes; without one, the usual student is a small one.
    """
    student = settings.student
    if student == AUTO:
        student = OWN if _chosen(settings) else "original" if gpu else "small"
    if student == OWN or settings.pretrained:
        return settings.replace(student=OWN)
    depth, width = STUDENTS[student]
    return settings.replace(student=student, network_depth=depth, network_width=width)


def wrong_with_student(settings):
    """What speaks against a student of some settings: name of a setting -> (values that are allowed, words)."""
    if settings.student not in STUDENTS or settings.pretrained:
        return {}
    depth, width = STUDENTS[settings.student]
    words = f"but the student '{settings.student}' has {{}}: use student {OWN} to choose both"
    return {
        "network_depth": ((_usual_depth(settings), depth), words.format(depth)),
        "network_width": ((None, width), words.format(width)),
    }


def _chosen(settings):
    """Whether the user says what network it is."""
    return settings.network_width is not None or settings.network_depth != _usual_depth(settings)


def _usual_depth(settings):
    return type(settings)().network_depth
