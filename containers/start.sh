#!/bin/sh
# What a container does: "lab" opens the notebooks in JupyterLab; everything else is for the command n2seg.
set -eu
if [ "${1:-}" != lab ]; then
    exec n2seg "$@" # in place of this shell, so that it gets the signals of the cluster
fi
shift
notebooks=$(python -c "from n2seg_utils.notebooks import notebook_folder; print(notebook_folder())")
mkdir -p notebooks
for notebook in "$notebooks"/*.ipynb; do # into the working folder, where they can be changed, and those there are kept
    [ -e "notebooks/${notebook##*/}" ] || cp "$notebook" notebooks/
done
exec jupyter lab --ip=0.0.0.0 --no-browser notebooks "$@"
