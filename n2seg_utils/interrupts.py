"""Interrupts (a stop button, Ctrl-C, the end of a cluster's time) that cannot be lost."""

import signal
import threading


class Interrupts:
    """Notes each interrupt that is raised while it is entered, so that whoever works in steps can ask for it.

    Python raises an interrupt wherever it is just then. Where that is a finaliser, or something that C calls back, the
    exception is printed and lost.

    Attributes
    ----------
    raised : KeyboardInterrupt or None
        The last one.
    """

    def __init__(self):
        self.raised, self._before = None, {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():  # others are never interrupted
            known = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
            self._before = {number: handler for number, handler in known.items() if callable(handler)}
        for number in self._before:
            signal.signal(number, self._note)
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            if signal.getsignal(number) == self._note:
                signal.signal(number, handler)

    def check(self):
        """Raise what was raised and lost."""
        if self.raised:
            raise self.raised

    def _note(self, number, frame):
        try:
            self._before[number](number, frame)
        except KeyboardInterrupt as interrupt:
            self.raised = interrupt
            raise
