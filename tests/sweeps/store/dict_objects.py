"""Objects in a dictionary, with a clock that a test moves, and requests that are counted."""

import threading
from itertools import count

from qhn.core.errors import StoreError
from qhn.sweeps.store.objects import Found, Item


class DictObjects:
    """See `Objects`.

    Attributes:
        time: the clock of the server, in seconds.
        requests: the name of each request, in order.
        away: whether nothing can be reached.
        loses_answers: whether conditional writes happen and say that they did not.
    """

    def __init__(self):
        self.time = 0.0
        self.requests = []
        self.away = False
        self.loses_answers = False
        self.before_write = lambda: None
        self._contents = {}
        self._tags = count()
        self._handling = threading.Lock()

    def _ask(self, name):
        self.requests.append(name)
        if self.away:
            raise StoreError("the store must be readable, but it is away")

    def read(self, key):
        self._ask("read")
        with self._handling:
            found = self._contents.get(key)
            return found and Found(found[0], found[1], self.time - found[2])

    def read_many(self, keys):
        return {key: found for key in keys if (found := self.read(key)) is not None}

    def write(self, key, content):
        self._ask("write")
        self.before_write()
        with self._handling:
            return self._put(key, content)

    def write_if(self, key, content, tag):
        self._ask("write_if")
        self.before_write()
        with self._handling:
            there = self._contents.get(key)
            if (there and there[1]) != tag:
                return None
            new = self._put(key, content)
            return None if self.loses_answers else new

    def _put(self, key, content):
        tag = f'"{next(self._tags)}"'
        self._contents[key] = (content, tag, self.time)
        return tag

    def check_conditions(self, key):
        pass

    def items(self, prefix):
        self._ask("items")
        found = sorted(self._contents.items())
        return [Item(k, len(v[0]), v[1]) for k, v in found if k.startswith(prefix)]

    def folders(self, prefix):
        self._ask("folders")
        rest = [key.removeprefix(prefix) for key in self._contents if key.startswith(prefix)]
        return list({key.partition("/")[0] for key in rest if "/" in key})

    def move(self, key, target):
        self._ask("move")
        with self._handling:
            if key in self._contents:
                self._put(target, self._contents.pop(key)[0])

    def delete(self, keys):
        self._ask("delete")
        with self._handling:
            for key in keys:
                self._contents.pop(key, None)
