"""How masks of different worth are learned from, and what they are called beside what is found."""

_DRAWN = "drawn by you", "found"
TITLES = {
    "good": _DRAWN,
    "noisy": _DRAWN,
    "teacher": ("the teacher's", "the student's"),
    "none": ("first guess", "found"),
}


def work_for(settings):
    """The kind of training for some SegmentSettings: a subclass of
    :class:`~n2seg_utils.models.segment_training.SegmentWork`."""
    from .distillation import StudentWork
    from .noisy_training import NoisyWork
    from .segment_training import SegmentWork
    from .unlabelled import UnlabelledWork

    return {"good": SegmentWork, "noisy": NoisyWork, "teacher": StudentWork, "none": UnlabelledWork}[settings.labels]
