"""What is wrong, or unusual, about a folder of images, before anything is trained."""

import time
from dataclasses import asdict, dataclass

from ..errors import UserError
from ..words import sentence
from . import cost
from .duplicates import about_copies
from .exposure import exposure, ranges
from .files import list_images
from .findings import ERROR, NOTE, SEVERITIES, WARNING, Finding, merged
from .images import open_image
from .mask_check import check_masks
from .noise import measure_noise
from .set_check import TWO_PATCHES, check_set, check_size
from .summaries import summarise
from .truth_check import check_truth

_CLEAN = 0.005  # of the brightness range: noise that nobody sees
_TOLD = 5  # errors at a time


@dataclass(frozen=True)
class Check:
    """All findings, and what was read."""

    findings: list
    images: list
    target: object = None  # what masks show
    cost: object = None  # what reading and training take
    noise: object = None  # how strong it is, and how it is shared: a NoiseCorrelation

    @property
    def ok(self):
        """Whether nothing must change first."""
        return not any(f.severity == ERROR for f in self.findings)

    @property
    def warnings(self):
        """The warnings, as sentences."""
        return [str(f) for f in self.findings if f.severity == WARNING]

    def require_ok(self):
        """Raise a UserError that lists what must change first, if anything."""
        if not self.ok:
            wrong = [str(finding) for finding in self.findings if finding.severity == ERROR]
            more = [f"And {len(wrong) - _TOLD} more like these."] if len(wrong) > _TOLD else []
            raise UserError("\n".join(wrong[:_TOLD] + more))

    def describe(self):
        """Size, cost and noise of the images, in words."""
        noise = f"; noise of about {100 * self.noise.level:.2g} % of the brightness range" if self.noise else ""
        return f"{self.cost.describe()}{noise}"

    def to_dict(self):
        """For JSON: ok, findings, images, how many findings there are of each severity, cost."""
        images = [
            {"name": i.path.name, "axes": i.axes, "shape": list(i.shape), "dtype": str(i.dtype)} for i in self.images
        ]
        counts = {severity: sum(f.severity == severity for f in self.findings) for severity in SEVERITIES}
        return {
            "ok": self.ok,
            "findings": [asdict(f) for f in self.findings],
            "images": images,
            "severities": counts,
            "cost": self.cost and asdict(self.cost),
            "noise": self.noise and asdict(self.noise),
        }


def check_images(images, truth=None, axes="auto", masks=None, kind="auto", joint=False, patch=None, reach=None):
    """Look at a folder of images, and at a folder of clean ones or of masks if given.

    Headers come first; of the pixels, the first, the middle and the last plane of each image are read.

    Parameters
    ----------
    images, truth, masks : path
    axes : str
    kind : str
        What the masks show, if not "auto": see :func:`~n2seg_utils.data.targets.recognise`.
    joint : bool
        Images with masks are to be denoised too: their noise is looked at, and images without a mask are welcome.
    patch, reach : int, optional
        Side of the patches, and how far the network looks in each direction, if they are not the usual ones.

    Returns
    -------
    Check
        Never raises for what is wrong with the data: that is what the findings are for.
    """
    try:
        files = list_images(images)
    except UserError as error:
        return Check([Finding(ERROR, "", sentence(error))], [])
    findings, opened, summaries, took = _one_by_one(files, axes)
    if not opened:
        return Check(findings, [])
    read = sum(min(3, s.image.planes) * (s.image.nbytes // s.image.planes) for s in summaries)
    costs, target = cost.estimate(opened, bool(masks), read, took), None
    findings += check_set(opened, 2 * TWO_PATCHES if masks else TWO_PATCHES)
    findings += [*about_copies(summaries), *ranges(summaries), *costs.findings()]
    if masks:
        more, target = check_masks(opened, masks, kind, joint, patch, reach)
        findings += more
    noise = measure_noise([summary.image for summary in summaries])
    if noise and (joint or not masks):
        findings += _about(noise)
    if truth and summaries:
        findings += check_truth(summaries, truth, axes)
    return Check(findings, opened, target, costs, noise)


def _one_by_one(files, axes):
    """Findings about each file, the images that can be opened, summaries of their pixels, and the seconds it took."""
    findings, opened, summaries, began = [], [], [], time.perf_counter()
    for file in files:
        try:
            image = open_image(file, axes)
            wrong = list(check_size(image))
            if not wrong and cost.fits(image):
                summary = summarise(image)
                wrong = list(exposure(summary))
                summaries.append(summary)
            findings += wrong
            opened.append(image)
        except UserError as error:
            findings.append(Finding(ERROR, file.name, sentence(error)))
    return merged(findings), opened, summaries, time.perf_counter() - began


def _about(noise):
    """Findings about the noise of images that are to be denoised."""
    if noise.level < _CLEAN:
        yield Finding(
            NOTE, "", f"There is hardly any noise: {100 * noise.level:.2g} % of the brightness range.",
            "Denoising will change little.",
        )  # fmt: skip
    if noise.axis:
        yield Finding(
            WARNING, "",
            f"Neighbouring pixels share their noise: its correlation is {noise.horizontal[0]:.2f} across and "
            f"{noise.vertical[0]:.2f} down (independent noise has 0). Plain Noise2Void cannot remove such noise.",
            f"Choose the algorithm structn2v ({noise.axis}, {noise.length} pixels), or bin the images 2 x 2. If they "
            "have hardly any noise, this is fine texture: then keep n2v.",
        )  # fmt: skip
