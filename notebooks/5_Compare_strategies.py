# %% [markdown]
# # Compare strategies: which method, how many annotations, for *your* images?
#
# BADGE
#
# **What this does.** It trains the methods of the other notebooks again and again on your images, with few and with many
# annotations, and judges them by images that none of them saw. In the end there is one table, one figure, and a sentence
# that you can act on: which method to take, by how much it is better, how sure that is, and whether it would pay to
# annotate more.
#
# **What you need.** A folder of images (TIFF, PNG or JPEG; 2D or volumes) and a folder of masks for some or all of them,
# with the same names. Some annotated images are kept to judge by, so have eight or more. Clean images of the same fields
# of view are welcome, to judge the denoising. With no folder at all, the notebook uses a built-in sample.
#
# **How to use it.** Choose *Runtime > Run all* (in Jupyter: *Run > Run All Cells*) to see it work on the sample: it takes
# some minutes. Then fill in the forms and run the cells again, from top to bottom. You never need to touch code. A
# comparison that means something takes hours: you can stop it, and be cut off, as often as you like.
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
from n2seg_utils.ui.comparing import Comparing

runtime.describe_runtime()
work = Comparing()

# %% [markdown]
# **Google Drive** (Colab only). The next cell asks for permission to see your Drive, where your images are and where the
# results should go. If you only want to try the sample, you may refuse; but without Drive, Colab forgets all runs when
# the session ends, and nothing can go on.

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
# Each mask has the name of its image (`cell_1.tif` and `cell_1.png`, `cell_1_mask.tif` or `cell_1.zip`). Images without
# a mask teach to denoise.

# %% cellView="form"
# @title Which images, and which masks?
work.ask_data()

# %% [markdown]
# **What should I see?** Your drawings exactly on what they mark. If they lie elsewhere, images and masks do not belong
# together.

# %% cellView="form"
# @title Read and check images and masks
work.check_data()

# %% [markdown]
# ## 3 · Settings and plan
#
# **Tick the methods** that you think of. **Annotated images**: with how many would you like to know how well it works?
# As many are drawn by chance from yours. **Repetitions** draw others, each with a seed of its own: three are the fewest
# that can tell what is chance. All methods train for the same time. Empty fields take the suggestions, which are made
# from your data.

# %% cellView="form"
# @title What to compare?
work.ask_settings()

# %% [markdown]
# The next cell trains nothing yet. It writes down the experiment, and says how many trainings it makes, how long they
# will take, and how much disk. **Too long?** Fewer methods, numbers or repetitions, or less time for each, above; then
# run both cells again. You can add more later: what is done already is kept, if you only add to the lists.

# %% cellView="form"
# @title The plan: how many trainings, how long?
work.plan()

# %% [markdown]
# ## 4 · Train
#
# **What should I see?** A bar for the training at work, and a table that fills in with the scores of those that are done.
#
# You may **stop at any time** with the stop button of this cell. If you stopped it, or were cut off, **run all cells
# again** with the same entries: it goes on in the middle of the training it was in.

# %% cellView="form"
# @title Do all trainings that are missing
work.run()

# %% [markdown]
# ## 5 · What came out
#
# The sentences claim no more than the seeds allow: an interval of 95 % says where the true difference lies. If two
# methods *cannot be told apart*, take the simpler one: a U-Net alone is simpler than joint training, which is simpler
# than two trainings. **AP at IoU 0.5**: the share of objects that were found, among those found, missed and invented. 1
# is perfect. **PSNR**: signal against the error that is left, in decibels.
#
# ![Objects found are green, missed ones orange, false ones blue. Their numbers give the average precision: those found,
# divided by all](PICTURES/idea_ap.png)
#
# **What should I see?** Lines that rise from left to right: more annotations are better. Where a line becomes flat,
# annotating more does not pay. The pictures show the image on which the best method was as good as usual.

# %% cellView="form"
# @title Which is best, and by how much?
work.look()

# %% [markdown]
# ## 6 · Use the best
#
# The next cell writes down the settings that scored highest, for a longer training in the notebook of that method. The
# best model of this comparison is there already; apply it to all your images, but do not judge it by the score that it
# was chosen for.

# %% cellView="form"
# @title The best settings
work.choose()

# %% cellView="form"
# @title Apply the best model to all images
work.predict()

# %% cellView="form"
# @title Look at the results
work.browse()

# %% [markdown]
# ## 7 · Save and share
#
# The file of the experiment, all models, tables, the figure and a report that opens in any browser are in one folder. On
# a cluster the same file does the same runs, many at a time: see *Compare strategies* in the README.

# %% cellView="form"
# @title Where is the report?
work.report()

# %% cellView="form"
# @title Download everything as a zip (Colab)
work.download()
