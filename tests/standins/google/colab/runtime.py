"""The machine that Colab lends."""

unassigned = False


def unassign():
    global unassigned
    unassigned = True
