# %% [markdown]
# # Noise2Seg: denoise and segment together, from few annotations
#
# BADGE
#
# **What this does.** A model learns two things in one training: to remove the noise of your images, which it learns from
# the noisy images themselves ([Noise2Void](https://arxiv.org/abs/1811.10980)), and to find what you drew on some of
# them. What it learns from the noise of all images, annotated or not, helps it to segment. The idea is that of
# [DenoiSeg](https://arxiv.org/abs/2005.02987), where one network learns both at the same time; here, two networks learn
# one after the other, which found as much and denoised better in our measurements. The other way is a choice in the
# form.
#
# ![Noise2Void learns from all images, without masks, to denoise; a U-Net learns from the few that you annotated to segment
# what is denoised](PICTURES/idea_joint.png)
#
# **What you need.** A folder of noisy images (TIFF, PNG or JPEG; 2D or volumes, grey, several channels or colour), and a
# folder of masks for **some** of them, with the same names: label images in which each object has its own number,
# black-and-white or colour masks, ROI sets from Fiji, or a Supervisely project. Ten annotated images are a good
# beginning; all others need no mask. With no folder at all, the notebook uses a built-in sample.
#
# **How to use it.** Choose *Runtime > Run all* (in Jupyter: *Run > Run All Cells*) to see it work on the sample. Then
# fill in the forms and run the cells again, from top to bottom. You never need to touch code.
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
if not all(map(importlib.util.find_spec, ("n2seg_utils", "fpdf", "n2v", "roifile", "tensorflow"))):
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)
    importlib.invalidate_caches()

# %% cellView="form"
# @title Check the runtime
from n2seg_utils.ui import runtime
from n2seg_utils.ui.joint import Joint

runtime.describe_runtime()
work = Joint()

# %% [markdown]
# **Google Drive** (Colab only). The next cell asks for permission to see your Drive, where your images are and where the
# results should go. If you only want to try the sample, you may refuse: everything works, but Colab forgets the results
# when the session ends.

# %% cellView="form"
# @title Connect Google Drive
runtime.mount_drive()

# %% [markdown]
# **Is this the right notebook?** Joint training pays when images are noisy *and* annotations are few. With clean images,
# or with many annotations, the [U-Net of notebook 2](2_UNet_segmentation.ipynb) is better or as good, and faster; if
# you only want clean images, use [notebook 1](1_Noise2Void_denoising.ipynb). The picture shows measured numbers.

# %% cellView="form"
# @title When does joint training pay?
work.when()

# %% [markdown]
# ## 2 · Your data
#
# Fill in the form, **then run the cell below it**: it reads what you entered. Leave everything empty to use the sample.
# *Choose a folder* goes through the folders of the computer that computes: in Colab, those of your Drive. You may also
# paste a path, as your file manager copies it (in Colab: the folder symbol on the left, *Copy path* in the menu of your
# folder); quotes around it do no harm.
#
# Each mask has the name of its image (`cell_1.tif` and `cell_1.png`, `cell_1_mask.tif` or `cell_1.zip`). Images without
# a mask teach the network to denoise. An image with nothing in it may have an empty mask: that says *there is nothing*.

# %% cellView="form"
# @title Which images, and which masks?
work.ask_data()

# %% [markdown]
# The next cell looks at images and masks, says what it understood, and shows some masks over their images.
#
# **What should I see?** Your drawings exactly on what they mark. If they lie elsewhere, images and masks do not belong
# together. Below *The masks show* it says whether you drew one class, several classes, or objects that each have a
# number; if that is wrong, choose *What masks show* above and run both cells again. If you drew in black and white and
# want to count, choose *instances*: pieces that do not touch are then the objects.

# %% cellView="form"
# @title Read and check images and masks
work.check_data()

# %% [markdown]
# ## 3 · Settings
#
# The suggestions are made from your data and are good to begin with: leave a field empty to use its suggestion.
#
# **Order of learning** (advanced settings): first one network learns to denoise, then another to segment what the first
# makes of your images (*in_turn*). With *constant*, one network learns both at once, as DenoiSeg does: **Weight of
# denoising** then says how much that counts against segmentation, and **Annotated patches** which share of each batch is
# drawn from annotated images. If neighbouring pixels share their noise (the check above says so), choose the algorithm *structn2v*.

# %% cellView="form"
# @title How to train?
work.ask_settings()

# %% [markdown]
# To learn more from your annotations, the network sees annotated images flipped, turned, bent, zoomed, brighter, darker, noisier and
# blurred, anew in every step. **What should I see?** Patches that could be real. If they could not, lower the strengths
# in the advanced settings above; if up and down are different things in your images, switch off *Flip and turn*.

# %% cellView="form"
# @title Show some patches as training sees them
work.show_patches()

# %% [markdown]
# ## 4 · Train
#
# **What should I see?** A bar with the time left, and a piece of an image that is *not* trained on: noisy, denoised, what
# you drew, and what is found. For about half of the time only the denoised picture gets better, and what is found means
# nothing yet. Then a score of the segmentation rises and levels off. If nothing but background is found, it starts again
# by itself and says so. If the score still rises at the end, train longer; if that of validation stays far behind
# that of training, annotate more images. At the end, the threshold, the smallest object and more are tuned on the
# validation images.
#
# You may **stop at any time** with the stop button of this cell: the best weights so far are kept, and everything below
# works. If you stopped it, or were cut off, **run all cells again** with the same entries: the training goes on where it
# was. A run that is complete is never overwritten: the new one gets a new name.
#
# If you **reload this page** meanwhile, bar and picture stay as they were. The training goes on all the same, and the
# next cells work once it has finished.

# %% cellView="form"
# @title Train
work.train()

# %% [markdown]
# ## 5 · Quality control
#
# Annotated images that were kept out of training are segmented and compared with your masks, and shown as they are and
# denoised. Scores of denoising (**SSIM**, **NRMSE**, **PSNR**) need clean images of the same fields of view; without
# them, look closely: noise should be gone, and no structure should be lost or invented. **Average precision**: the share of
# objects that were found, among those found, missed and invented (an object is found when it overlaps the drawn one by
# at least half of what both cover together; the field has used the word so since the
# [Data Science Bowl of 2018](https://arxiv.org/abs/1806.03535)). **IoU** and **Dice**: how well the pixels agree. 1 is
# perfect.
#
# ![Objects found are green, missed ones orange, false ones blue. Their numbers give the average precision: those found,
# divided by all](PICTURES/idea_ap.png)
#
# **What should I see?** Mostly green. Missed objects (orange) and false ones (blue) tell what to annotate more of. The
# last figure shows what other thresholds would score: a broad top is good, for then the threshold matters little.
#
# ![Objects found rightly are green. With a threshold that is too low they melt together; where the smallest object is too
# large, others are missed](PICTURES/good_segmented.png)

# %% cellView="form"
# @title Judge the result
work.judge()

# %% [markdown]
# ## 6 · Use the model
#
# **Look at any piece** of your images, denoised and segmented at once.
#
# **What should I see?** Edges as sharp as before, no grain between them, and an outline around each object. If dim
# structures are gone in the denoised piece, they cannot be found either: train longer.

# %% cellView="form"
# @title Try the model on a piece of an image
work.preview()

# %% [markdown]
# **Try other thresholds.** Move the sliders and watch. Nothing is changed by it: to use other numbers than the tuned
# ones, write them into the form below.
#
# **What should I see?** Outlines that follow your objects, one around each. If dim objects are missed, lower the
# threshold; if objects melt together, raise it, or *Seeds from*; if there is dust, raise *Smallest*.

# %% cellView="form"
# @title Try thresholds on an image
work.explore()

# %% [markdown]
# Now denoise and segment all your images, one file after another. The results are two folders, `denoised` and `labels`.
# Denoised images have the grey values of yours: measure in them with care, for faint detail may be lost. The label
# images open in Fiji, and the outlines, if you want
# them, in its ROI Manager: correct them there, and use them as masks for a better model (of objects; of several classes,
# correct the label images). If this is cut short, run it again: finished files are kept.
#
# The last cell shows images, what they look like denoised, what you drew and what was found, side by side. **Zoom** in
# and move *Down* and *Across* to see a region pixel by pixel; sliders can be moved with the arrow keys too.

# %% cellView="form"
# @title How to save the results?
work.ask_result()

# %% cellView="form"
# @title Denoise and segment all images, and measure the objects
work.predict()

# %% cellView="form"
# @title Look at the results
work.browse()

# %% [markdown]
# ## 7 · Save and share
#
# Everything about this run is in one folder: the model, its settings, scores, pictures, counts, and a report that opens
# in any browser.

# %% cellView="form"
# @title Write the report
work.report()

# %% [markdown]
# **For other programs and other people.** The form writes the model in a format that others read: for the
# [BioImage Model Zoo](https://bioimage.io) and deepImageJ, for CSBDeep in Fiji. Enter who made it and what it
# is for. A package for the Zoo also holds a small piece of one of your images, on which others can test it.

# %% cellView="form"
# @title For which program, and what to say of the model?
work.ask_share()

# %% cellView="form"
# @title Write the model for other programs
work.share()

# %% cellView="form"
# @title Download everything as a zip (Colab)
work.download()
