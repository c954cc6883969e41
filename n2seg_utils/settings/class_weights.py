"""What pixels of each class count, as people write it."""


def parse_weights(text):
    """Class weights as written in the settings: a tuple of floats, or None for "auto".

    Raises
    ------
    ValueError
        If they are not positive numbers.
    """
    if text.strip().lower() in ("", "auto"):
        return None
    weights = tuple(float(part) for part in text.replace(";", ",").split(","))
    if len(weights) < 2 or min(weights) < 0 or not 0 < sum(weights) < float("inf"):
        raise ValueError(text)
    return weights


def weights_problem(text):
    """What is wrong with such a text, in words; empty if nothing is."""
    try:
        parse_weights(text)
    except ValueError:
        return f"class_weights is '{text}'; write one number for each class, such as 1, 1, 5, or use auto"
    return ""
