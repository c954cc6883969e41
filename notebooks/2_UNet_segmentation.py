# %% [markdown]
# # U-Net: segment images, and count what is in them
#
# BADGE
#
# **What this does.** You draw on some images what you are looking for: cells, nuclei, membranes, tissue. A neural
# network, the U-Net ([Ronneberger, Fischer and Brox, 2015](https://arxiv.org/abs/1505.04597)), learns it from your
# drawings and finds it in all other images. Objects that touch are told apart, counted and measured. A U-Net looks at
# an image in several sizes: made small, to see what something is, and at full size, to see where it ends.
#
# ![An image is made smaller and smaller, and large again; each size is handed across to its like on the way
# back](PICTURES/idea_unet.png)
#
# **What you need.** A folder of images (TIFF, PNG or JPEG; 2D or volumes, grey, several channels or colour) and a folder
# of masks with the same names: label images in which each object has its own number, black-and-white or colour masks,
# ROI sets from Fiji, or a Supervisely project. Ten well annotated images are a beginning; more are better. With no
# folder at all, the notebook uses a built-in sample.
#
# **When it works, and when not.** It finds what it was shown. Images that look different (another stain, another
# magnification) need their own annotations. If you have many images but few annotations, and the images are noisy,
# denoising and segmenting together may do better.
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
from n2seg_utils.ui.segmenting import Segmenting

runtime.describe_runtime()
work = Segmenting()

# %% [markdown]
# **Google Drive** (Colab only). The next cell asks for permission to see your Drive, where your images are and where the
# results should go. If you only want to try the sample, you may refuse: everything works, but Colab forgets the results
# when the session ends.

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
# **What kind of labels do you have?**
#
# | kind | you have | it costs you | it gives |
# |---|---|---|---|
# | *good* | masks that people drew with care | hours of drawing; ten images are a beginning | objects one by one, and the best result |
# | *noisy* | quick, incomplete or thresholded masks of one class | minutes | one class: foreground. Pixels that are missing or wrong at random [cost little](https://arxiv.org/abs/2103.11594); masks that are all too wide or too thin teach just that. A few correct masks set the threshold |
# | *teacher* | what Omnipose, Cellpose, StarDist or another large model made of your images | no drawing, but running that program once | its objects from a small network that is fast, exports to Fiji, and makes its teacher's mistakes too. A few correct masks tell how many |
# | *none* | nothing | nothing | one class: what is brighter (or darker) than the rest and of a kind. It begins with a threshold and mends what that gets wrong at random, not what it always gets wrong. A few correct masks tell how good it is |
#
# More on this, with pictures: [which labels](DOCS/LABELS.md).
#
# Each mask has the name of its image (`cell_1.tif` and `cell_1.png`, `cell_1_cp_masks.png` or `cell_1.zip`). Images
# without a mask are left out of the training. Folders of positions (`NAME_raw_data` and `NAME_masks`, with `Pos101`,
# `Pos102` ... in both) are read as they are.

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
# Objects are told apart by the **borders** between them, which the network learns as a class of its own, as
# [DenoiSeg](https://arxiv.org/abs/2005.02987) does. If round objects are still glued together, try the method
# *distance* in the advanced settings: the network then also learns how deep inside its object each pixel lies
# ([Zaki and others, 2020](https://doi.org/10.1101/2020.04.14.041020)).

# %% cellView="form"
# @title How to train?
work.ask_settings()

# %% [markdown]
# To learn more from your annotations, the network sees them flipped, turned, bent, zoomed, brighter, darker, noisier and
# blurred, anew in every step. **What should I see?** Patches that could be real. If they could not, lower the strengths
# in the advanced settings above; if up and down are different things in your images, switch off *Flip and turn*.

# %% cellView="form"
# @title Show some patches as training sees them
work.show_patches()

# %% [markdown]
# ## 4 · Train
#
# **What should I see?** A bar with the time left, a score that rises and then levels off, and a piece of an image that
# is *not* trained on: what you drew, and what the network finds. If it finds nothing but background, it starts again by
# itself and says so. If the score still rises at the end, train longer. If that of validation stays far behind that of
# training, the network learns by heart: annotate more images. At the end, the threshold, the smallest object and more
# are tuned on the validation images.
#
# ![Three curves. Good: both lines level off. Too short: both still get better at the end. Overfitting: training becomes
# nearly perfect, validation stays behind](PICTURES/good_curve.png)
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
# Images that were kept out of training are segmented and compared with your masks. **Average precision**: the share of
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
# **Try other thresholds.** Move the sliders and watch. Nothing is changed by it: to use other numbers than the tuned
# ones, write them into the form below.
#
# **What should I see?** Outlines that follow your objects, one around each. If dim objects are missed, lower the
# threshold; if objects melt together, raise it, or *Seeds from*; if there is dust, raise *Smallest*.

# %% cellView="form"
# @title Try thresholds on an image
work.explore()

# %% [markdown]
# Now segment all your images, one file after another. The label images open in Fiji, and the outlines, if you want
# them, in its ROI Manager: correct them there, and use them as masks for a better model (of objects; of several classes,
# correct the label images). If this is cut short, run it again: finished files are kept.
#
# The last cell shows images, what you drew and what was found, side by side. **Zoom** in and move *Down* and *Across* to
# see a region pixel by pixel; sliders can be moved with the arrow keys too.

# %% cellView="form"
# @title How to save the results?
work.ask_result()

# %% cellView="form"
# @title Segment all images, and measure the objects
work.predict()

# %% cellView="form"
# @title Look at the results
work.browse()

# %% [markdown]
# **Few masks, many images?** Let the model draw: tick those images without a mask in which all was found rightly, and
# train on with them. Images that judged the model before judge it again, and nothing that you tick does. Ticking what is
# wrong teaches just that: when in doubt, leave it out, or correct it in Fiji and use it as a mask.

# %% cellView="form"
# @title Which of these are right?
work.choose_labels()

# %% cellView="form"
# @title Train on with what was ticked
work.train_on()

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
