import inspect
import re

import pytest

from zcollection import errors


def documented():
    """The names and parents in the tree of the module's documentation."""
    found, parents = {}, {}
    for line in errors.__doc__.splitlines():
        match = re.match(r"    ([│ ├└─]*)(\w+Error)(?: \((\w+)\))?", line)
        if match:
            depth = len(match[1])
            parents[depth] = match[2]
            above = [level for level in parents if level < depth]
            found[match[2]] = (parents[max(above)] if above else None, match[3])
    return found


def test_the_documentation_shows_the_tree_as_it_is():
    classes = dict(
        inspect.getmembers(errors, lambda item: inspect.isclass(item) and issubclass(item, errors.ZCollectionError))
    )
    tree = documented()
    assert tree.keys() == classes.keys()
    for name, (parent, builtin) in tree.items():
        bases = [base.__name__ for base in classes[name].__bases__]
        assert bases == [item for item in (parent or "Exception", builtin) if item]


@pytest.mark.parametrize("name", sorted(documented()))
def test_every_error_can_be_pickled(name):
    import pickle

    again = pickle.loads(pickle.dumps(getattr(errors, name)("what happened")))
    assert (type(again).__name__, str(again)) == (name, "what happened")


def test_no_message_drives_a_terminal():
    shown = str(errors.PartitionError("two\nlines, \x1b[31mred\x1b[0m, \u202eturned, \0, \ud800"))
    assert shown == "two\nlines, \\x1b[31mred\\x1b[0m, \\u202eturned, \\x00, \\ud800"
