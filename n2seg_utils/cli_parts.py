"""The command ``n2seg predict --join``: what jobs did in parts, put together."""

from .errors import UserError
from .words import counted


def join(options, answer):
    """Put the tables of the parts of a prediction together."""
    if options.part:
        raise UserError("Give --part or --join: first each part, then --join once")
    from .workflows.parts import join_parts

    images, tables = join_parts(options.out, options.join)
    wrote = f"; their tables are {', '.join(str(table) for table in tables)}" if tables else ""
    print(f"All {options.join} parts are done, {counted(images, 'result')} in {options.out}{wrote}")
    answer.update(out=options.out, images=images, tables=[str(table) for table in tables])
