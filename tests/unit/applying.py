"""Apply states and check their results. Shared by the unit tests of states."""


class StateRunner:
    """
    Applies states to a server and checks their results.

    Subclasses have ``service``, the name of the modules; ``salt``; ``url``; and ``writes()``, which
    returns the writes that the server has received.
    """

    def __call__(self, function, name, test=False, **arguments):
        return self.salt(f"{self.service}.{function}", test, name=name, url=self.url, **arguments)

    def call(self, function, *positional, **arguments):
        return self.salt.call(f"{self.service}.{function}", *positional, url=self.url, **arguments)

    def states(self, *declared, test=False):
        """
        Apply several states in one run. Returns their results in the same order.

        Each state is a function, a name and a mapping of arguments.
        """
        high = {}
        for number, (function, name, arguments) in enumerate(declared, 1):
            arguments = {"name": name, "url": self.url, "order": number, **arguments}
            high[f"state {number}"] = {
                self.service: [function, *({key: value} for key, value in arguments.items())],
                "__sls__": "unit",
                "__env__": "base",
            }
        answers = self.salt.call("state.high", high, test=test)
        return sorted(answers.values(), key=lambda answer: answer["__run_num__"])

    def changed(self, function, name, **arguments):
        """
        Apply a state that must change something, as its test run predicts, and only once.

        Returns the changes.
        """
        before = len(self.writes())
        predicted = self(function, name, True, **arguments)
        assert predicted["result"] is None and predicted["changes"], predicted
        assert len(self.writes()) == before, predicted
        answer = self(function, name, **arguments)
        assert answer["result"] is True, answer
        assert answer["changes"] == predicted["changes"], (predicted, answer)
        self.unchanged(function, name, **arguments)
        return answer["changes"]

    def unchanged(self, function, name, **arguments):
        """Apply a state that must neither change nor write anything, with and without test."""
        before = len(self.writes())
        for test in (True, False):
            answer = self(function, name, test, **arguments)
            assert (answer["result"], answer["changes"]) == (True, {}), answer
        assert len(self.writes()) == before

    def fails(self, function, name, test=False, **arguments):
        """Apply a state that must fail without changes. Returns its comment, one line."""
        answer = self(function, name, test, **arguments)
        assert (answer["result"], answer["changes"]) == (False, {}), answer
        return one_line(answer)

    def rejected(self, function, name, **arguments):
        """Apply a state that must fail and write nothing, with and without test."""
        before = len(self.writes())
        comments = {self.fails(function, name, test, **arguments) for test in (True, False)}
        assert len(comments) == 1 and len(self.writes()) == before
        return comments.pop()

    def fails_with_changes(self, function, name, **arguments):
        """Apply a state that must fail with changes. Returns the changes and the comment."""
        answer = self(function, name, **arguments)
        assert answer["result"] is False and answer["changes"], answer
        return answer["changes"], one_line(answer)


def one_line(answer):
    assert answer["comment"] and "\n" not in answer["comment"], answer
    return answer["comment"]
