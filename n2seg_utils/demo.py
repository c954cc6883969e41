"""The joint workflow on the built-in sample, from nothing to a report."""

from .about import ADDRESS
from .data.samples import annotate_few, sample_folder
from .models.joint_report import judge_joint, write_joint_report
from .models.joint_training import train_joint
from .models.run_folder import RunFolder
from .models.segment_report import write_measurements
from .ui.progress import bar, text_watcher
from .words import counted


def run_demo(out, settings):
    """Make the sample, train, judge and apply; says where everything is.

    Parameters
    ----------
    out : Path
        Folder for the demo; what is there already is kept.
    settings : JointSettings
        What else is wanted of the training.
    """
    print("Making the built-in sample: noisy nuclei, a few of them annotated", flush=True)
    sample = sample_folder(out / "sample")
    masks, run = annotate_few(sample), RunFolder(out / "joint").free_name()
    found = {"images": sample / "images", "masks": masks, "truth": sample / "clean", "run": run.path}
    tuning = bar("Tuning")
    model = train_joint(settings.replace(**found), text_watcher(), tuning)
    tuning.close(model.stored.describe())
    results = run / "results"
    model.predict_folder(sample / "images", results)
    counts = write_measurements(model, results / "labels", sample / "images")
    labels, denoised = scores = judge_joint(model)
    report, psnr = write_joint_report(model, scores), denoised["psnr"]
    images = counted(len(denoised["per_image"]), "image")
    print(f"Noisy {psnr['raw']:.1f} dB -> denoised {psnr['prediction']:.1f} dB (PSNR, {images})")
    print(
        f"{sum(row['objects'] for row in counts)} nuclei found; average "
        f"precision {labels['ap50']:.2f} on {counted(len(labels['per_image']), 'validation image')}"
    )
    print(f"Denoised images, labels and counts: {results}")
    print(f"Pictures: {run / 'quality'}")
    print(f"Report: {report.absolute()}")
    print("Your own images: the notebooks, which 'python3 start.py lab' opens in this project's folder; in Colab, see")
    print(f"{ADDRESS}. In a shell: n2seg train joint --images FOLDER --masks FOLDER --run RUN")
