"""What the unit tests of declarations have in common: how to apply a state and what may come of it."""


class Place:
    """
    A server and its states. Subclasses have ``service``, the name of the modules, ``salt``, ``url`` and ``writes()``: all that
    was written there up to now.
    """

    def __call__(self, function, name, test=False, **arguments):
        return self.salt(f"{self.service}.{function}", test, name=name, url=self.url, **arguments)

    def call(self, function, *positional, **named):
        return self.salt.call(f"{self.service}.{function}", *positional, url=self.url, **named)

    def states(self, *declared, test=False):
        """Apply several states in one run, each a function, a name and its arguments, and return their answers in this order."""
        high = {}
        for number, (function, name, arguments) in enumerate(declared, 1):
            given = [
                {key: value}
                for key, value in {
                    "name": name,
                    "url": self.url,
                    "order": number,
                    **arguments,
                }.items()
            ]
            high[f"state {number}"] = {
                self.service: [function, *given],
                "__sls__": "unit",
                "__env__": "base",
            }
        answers = self.salt.call("state.high", high, test=test)
        return sorted(answers.values(), key=lambda answer: answer["__run_num__"])

    def changed(self, function, name, **arguments):
        """Apply a state that is to change something: as it told before, and only once. Returns the changes."""
        before = len(self.writes())
        told = self(function, name, True, **arguments)
        assert told["result"] is None and told["changes"] and len(self.writes()) == before, told
        answer = self(function, name, **arguments)
        assert answer["result"] is True and answer["changes"] == told["changes"], (told, answer)
        self.kept(function, name, **arguments)
        return answer["changes"]

    def kept(self, function, name, **arguments):
        """Apply a state that is to change nothing, with and without test; it writes nothing."""
        before = len(self.writes())
        for test in (True, False):
            answer = self(function, name, test, **arguments)
            assert (answer["result"], answer["changes"]) == (True, {}), answer
        assert len(self.writes()) == before

    def fails(self, function, name, test=False, **arguments):
        """Apply a state that is to fail without changes, and return its comment of one line."""
        answer = self(function, name, test, **arguments)
        assert (answer["result"], answer["changes"]) == (False, {}), answer
        return one_line(answer)

    def refused(self, function, name, **arguments):
        """Apply a state that is to fail before anything is sent, with and without test."""
        before = len(self.writes())
        comments = {self.fails(function, name, test, **arguments) for test in (True, False)}
        assert len(comments) == 1 and len(self.writes()) == before
        return comments.pop()

    def breaks(self, function, name, **arguments):
        """Apply a state that is to fail with changes; returns these and the comment."""
        answer = self(function, name, **arguments)
        assert answer["result"] is False and answer["changes"], answer
        return answer["changes"], one_line(answer)


def one_line(answer):
    assert answer["comment"] and "\n" not in answer["comment"], answer
    return answer["comment"]
