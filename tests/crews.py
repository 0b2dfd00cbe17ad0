"""A crew whose workers are objects of this process, for tests of what is sent to workers."""

import threading
from itertools import count

from probe.engines.crew import Crew, Holder


class Here:
    """A place whose workers answer when they are heard; the messages in `fatal` each end one worker."""

    def __init__(self, fatal=()):
        self.started, self.stopped, self.answered = 0, [], []
        self.answers = threading.Event()  # whether workers answer now
        self.answers.set()
        self._fatal, self._tokens, self._sent = list(fatal), count(), {}

    def share(self, make):
        return make

    def start(self):
        self.started += 1
        return Holder()

    def send(self, worker, held, message):
        self._sent[token := next(self._tokens)] = worker, held, message
        return token

    def first(self, coming):
        self.answers.wait()
        worker, held, message = self._sent[coming[0]]
        if message in self._fatal:
            self._fatal.remove(message)
            return coming[0], None
        self.answered.append(message)
        try:
            return coming[0], worker.answer(held, lambda: held, message)
        except SystemExit:
            return coming[0], None

    def stop(self, worker):
        self.stopped.append(worker)


def crew(workers=2, fatal=(), report=lambda line: None):
    """A crew here, and its place."""
    place = Here(fatal)
    return Crew(place, workers, report), place
