# %% [markdown]
# # Noise2Void: denoise images without clean examples
#
# BADGE
#
# **What this does.** It learns what the noise in *your* images looks like, from the noisy images alone, and removes it.
# You need no clean images. It hides pixels from a neural network and lets it guess them from their surroundings:
# structure can be guessed, noise cannot, so what the network learns to guess is the structure
# ([Krull, Buchholz and Jug, 2019](https://arxiv.org/abs/1811.10980)).
#
# ![Noisy pixels; the same with some of them hidden; and what the network guesses from those around
# them](PICTURES/idea_noise2void.png)
#
# **What you need.** A folder of noisy images (TIFF, PNG or JPEG) of the same kind: 2D images, volumes, time series, one
# or several channels. A single image of about 1000 x 1000 pixels is enough, or a single volume. With no folder at all,
# the notebook uses a built-in sample.
#
# **When it works, and when not.** It removes noise that differs from pixel to pixel, such as shot noise and read noise.
# Noise that neighbouring pixels share, such as stripes, or that of cameras whose images were resampled, needs the
# algorithm *structn2v*; the check of your images measures this and tells you.
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
from n2seg_utils.ui.denoising import Denoising

runtime.describe_runtime()
work = Denoising()

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

# %% cellView="form"
# @title Which images?
work.ask_data()

# %% [markdown]
# The next cell copies images from Drive to the computer that computes (once; that makes training fast), looks at each
# of them, and tells you how it understood them.
#
# **What should I see?** Your images, grainy, and a line such as "30 time points of 512 x 512". If time, depth and
# channels are mixed up, write the right order into *Axes* above and run both cells again: stacks with depth (Z) are
# denoised in 3D, which uses the planes above and below; a time series (T) is denoised image by image. What must change
# first stops the cell; what may spoil the result is said in a box with a yellow line.

# %% cellView="form"
# @title Read and check the images
work.check_data()

# %% [markdown]
# ## 3 · Settings
#
# The suggestions are made from your data and are good to begin with: leave a field empty to use its suggestion.
#
# **Which algorithm?** *n2v* is Noise2Void as published. *n2v2* avoids the fine checkerboard pattern that n2v sometimes
# leaves ([Höck and others, 2022](https://arxiv.org/abs/2211.08512)). *structn2v* is for noise that neighbouring pixels
# share ([Broaddus and others, 2020](https://doi.org/10.1109/ISBI45749.2020.9098336)); its direction and reach are
# measured from your images, and you can set them in the advanced settings.

# %% cellView="form"
# @title How to train?
work.ask_settings()

# %% [markdown]
# ## 4 · Train
#
# **What should I see?** A bar with the time left, a curve that falls and then levels off, and a piece of one of your
# images before and after, which gets better by the minute. If the curve still falls at the end, train longer. If training
# gets much better than validation, the network learns your images by heart: give it more of them.
# (Where a score is drawn, up is better.)
#
# ![Three curves. Good: both lines fall and then level off. Too short: both still fall at the end. Overfitting: training
# becomes nearly perfect, validation stays behind](PICTURES/good_curve.png)
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
# If you gave clean images, they are compared with the noisy and the denoised ones: **SSIM**
# ([similarity of structure](https://doi.org/10.1109/TIP.2003.819861); 1 is perfect), **NRMSE** (error, as a share of
# the brightness range; 0 is perfect) and **PSNR** (signal against error, in decibels; 3 dB more is half the error
# energy).
#
# ![A true image, one that is too blurred, and one that is too noisy. Both have the same PSNR, and quite another
# SSIM](PICTURES/idea_ssim.png)
#
# **What should I see?** Less noise, the same structures. If fine structures are gone or blurred, train longer. If there
# is a fine checkerboard, use the algorithm *n2v2*. If grains or stripes are left, neighbouring pixels share their noise:
# use *structn2v*.
#
# ![A noisy image, denoised well, by a network that was trained too briefly, and with noise left; below each what was
# taken away, which is noise and nothing else where it is good](PICTURES/good_denoised.png)
#
# **Without clean images** the notebook judges by what was removed: it should look like noise and nothing else. It
# estimates whether a Gaussian blur would have done as well, and shows where the network is unsure of itself.

# %% cellView="form"
# @title Judge the result
work.judge()

# %% [markdown]
# ## 6 · Use the model
#
# **Try it on a piece first.** Choose an image, a plane and a place: the piece is denoised at once.
#
# **What should I see?** At the full size of the pixels, edges as sharp as before, and no grain between them. Look where
# your images are dim: what is lost is lost there first. If it is, train longer.

# %% cellView="form"
# @title Try the model on a piece of an image
work.preview()

# %% [markdown]
# Now denoise all your images, one file after another. They keep their pixel size and open in Fiji. If this is cut
# short, run it again: finished files are kept.
#
# The last cell shows images and results, and the clean images if you gave some, side by side. **Zoom** in and move *Down*
# and *Across* to see a region pixel by pixel; sliders can be moved with the arrow keys too.

# %% cellView="form"
# @title How to save the results?
work.ask_result()

# %% cellView="form"
# @title Denoise all images
work.predict()

# %% cellView="form"
# @title Look at the results
work.browse()

# %% [markdown]
# ## 7 · Save and share
#
# Everything about this run is in one folder: the model, its settings, scores, pictures, and a report that opens in any
# browser. The model opens in n2v too, unless it has several channels apart or other things that n2v builds wrongly.

# %% cellView="form"
# @title Write the report
work.report()

# %% [markdown]
# **For other programs and other people.** The form writes the model in a format that others read: for the
# [BioImage Model Zoo](https://bioimage.io) and deepImageJ, for CSBDeep in Fiji, or for n2v. Enter who made it and what it
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
