# %% [markdown]
# # Quality control: how good are these results?
#
# BADGE
#
# **What this does.** It judges images that were denoised, or objects that were segmented, **by whatever program**: in
# numbers that you can publish, in pictures, and in plain words. It asks what a critical reader would ask: is the result
# better than a Gaussian blur? Are faint structures lost? Is there anything in it that the raw image does not show?
#
# **What you need.** A folder with results and, with the same file names, a folder with the truth: clean images, or masks
# drawn by a person. For denoised images the raw images help too; with raw images alone, without any truth, the notebook
# judges what was taken away. With no folder at all, it uses a built-in sample.
#
# **How to use it.** Choose *Runtime > Run all* (in Jupyter: *Run > Run All Cells*) to see it work on the sample. Then
# fill in the forms and run the cells again, from top to bottom. You never need to touch code. No GPU is needed.
#
# Words such as *patch*, *epoch* or *IoU* are explained in the [glossary](DOCS/GLOSSARY.md).

# %% [markdown]
# ## 1 · Install and check the runtime
#
# The first cell takes some seconds. It changes nothing of what Colab has installed, and needs no restart.

# %% cellView="form"
# @title Install
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

source = os.environ.get("N2SEG_INSTALL", "INSTALL")
checkout = Path.cwd().parent if (Path.cwd().parent / "n2seg_utils").is_dir() else Path.cwd()
if (checkout / "n2seg_utils").is_dir():
    sys.path.insert(0, str(checkout))
    source = str(checkout)
if not all(map(importlib.util.find_spec, ("n2seg_utils", "fpdf", "roifile"))):
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)
    importlib.invalidate_caches()

# %% cellView="form"
# @title Begin
from n2seg_utils.ui import runtime
from n2seg_utils.ui.judging import Judging

work = Judging()

# %% [markdown]
# **Google Drive** (Colab only). The next cell asks for permission to see your Drive, where your images are and where the
# results should go. If you only want to try the sample, you may refuse.

# %% cellView="form"
# @title Connect Google Drive
runtime.mount_drive()

# %% [markdown]
# ## 2 · Your data
#
# Fill in the form, **then run the cell below it**: it reads what you entered. Leave everything empty to use the sample.
# *Choose a folder* goes through the folders of the computer that computes: in Colab, those of your Drive. You may also
# paste a path, as your file manager copies it (in Colab: the folder symbol on the left, *Copy path* in the menu of your
# folder); quotes around it do no harm.
#
# Files belong together by their names; endings do not matter (`cell_1.tif` and `cell_1.png`).
#
# **What should I see?** As many pairs as you have images, and pictures that show the same field of view. Images without
# a partner are named: give both the same name.

# %% cellView="form"
# @title What to judge?
work.ask_data()

# %% cellView="form"
# @title Match the images
work.check_data()

# %% [markdown]
# ## 3 · Settings
#
# The defaults are fine. **Simple filters** are what one would do without a network: a Gaussian blur, a median filter,
# non-local means, total variation. Their strength is found without the truth, as you would have to.

# %% cellView="form"
# @title How to judge?
work.ask_settings()

# %% [markdown]
# ## 4 · Judge
#
# **Denoised images, with truth.** **SSIM** (similarity of structure; 1 is perfect), **NRMSE** (error, as a share of the
# brightness range; 0 is perfect) and **PSNR** (signal against error, in decibels; 3 dB more is half the error energy),
# with the interval in which the mean lies. `metrics.csv` has more, for each image; `maps` show where errors are.
# ([SSIM](https://doi.org/10.1109/TIP.2003.819861): Wang, Bovik, Sheikh and Simoncelli, 2004.)
#
# ![A true image, one that is too blurred, and one that is too noisy. Both have the same PSNR, and quite another
# SSIM](PICTURES/idea_ssim.png)
#
# **Denoised images, without truth.** What was taken away should look like noise and nothing else. The notebook looks for
# structure in it, for noise that neighbouring pixels share, and for structure that the raw image does not support.
#
# **Labels.** How many objects were found, missed, and found where there is none; how many were split or merged; and how
# the scores depend on how exact outlines have to be. **Average precision** is the share of objects found among those
# found, missed and false ([Data Science Bowl, 2018](https://arxiv.org/abs/1806.03535)).
#
# ![Objects found are green, missed ones orange, false ones blue. Their numbers give the average precision: those found,
# divided by all](PICTURES/idea_ap.png)
#
# **What should I see?** Scores above those of the raw image, and above those of a blur. There is no good number as such:
# compare methods on the same images, not with what others report of theirs.

# %% cellView="form"
# @title Judge all images
work.judge()

# %% [markdown]
# ## 5 · Look
#
# Numbers are means: look at the pictures, the worst image first. **What should I see?** Errors that look like noise
# everywhere; profiles in which peaks are as high as in the truth; objects that are found, whether bright or dim.
#
# ![A noisy image, denoised well, by a network that was trained too briefly, and with noise left; below each what was
# taken away](PICTURES/good_denoised.png)
#
# ![Objects found rightly are green. With a threshold that is too low they melt together; where the smallest object is too
# large, others are missed](PICTURES/good_segmented.png)

# %% cellView="form"
# @title The pictures
work.look()

# %% [markdown]
# All versions of each image side by side; labels are painted on the raw image. **Zoom** in and move *Down* and *Across*
# to see a region pixel by pixel; sliders can be moved with the arrow keys too.

# %% cellView="form"
# @title Side by side
work.browse()

# %% [markdown]
# One version uncovered over another: move the curtain.

# %% cellView="form"
# @title Curtain
work.curtain()

# %% [markdown]
# Grey values along a line: choose where it begins and ends.

# %% cellView="form"
# @title Line profile
work.profile()

# %% [markdown]
# ## 6 · What to make of it
#
# *The denoised images are no better than a blur:* train longer, on more images, or with noise that fits (notebook 1
# measures whether neighbouring pixels share their noise). *Faint spots are lost:* count and measure on raw images, or
# say so. *Structure that the raw image does not support:* do not publish it. *Objects are merged:* annotate more that
# touch, and draw a gap between them; *objects are split:* raise the smallest size, or train longer.

# %% [markdown]
# ## 7 · Save and share
#
# Scores, pictures, maps and a report (HTML and PDF, with a paragraph for your methods section) are in one folder.

# %% cellView="form"
# @title Where is the report?
work.report()

# %% cellView="form"
# @title Download everything as a zip (Colab)
work.download()
