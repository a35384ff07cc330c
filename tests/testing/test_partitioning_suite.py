"""The suite of partitionings passes what is sound, and each of its checks finds the fault that it is there for."""

import datetime as dt
import random
import time
from datetime import datetime as moment
from itertools import count
from typing import ClassVar

import numpy as np
import pytest
from attrs import field, frozen
from hypothesis import strategies as st
from suites import failing, passes

from zcollection.plugin import Field, Key, PartitionError, Partitioning
from zcollection.testing.partitioning import PartitioningSuite, strings, table
from zcollection.testing.repeatable import RepeatableSuite

FIELDS = "test_field_names_are_distinct"
VARIABLES = "test_variables_are_paths"
KEYS = "test_each_row_has_a_key"
CALENDARS = "test_other_calendars_are_accepted"
EMPTY = "test_no_rows_give_no_keys"
NEIGHBOURS = "test_keys_do_not_depend_on_neighbours"
SHUFFLED = "test_keys_do_not_depend_on_the_order_of_rows"
SAME = "test_keys_are_deterministic"
COLUMNS = "test_columns_are_not_modified"
TYPES = "test_keys_do_not_depend_on_the_dtype"
EARLY = "test_negative_numbers_and_early_dates_are_accepted"
INVERSE = "test_decode_inverts_encode"
PATHS = "test_paths_are_safe_and_distinct"
ORDER = "test_keys_are_ordered_by_value"
TEXTS = "test_any_string_has_a_safe_path_or_is_rejected"
FOREIGN_PATHS = "test_foreign_paths_are_rejected"
FOREIGN_KEYS = "test_foreign_keys_are_rejected"
WRONG = "test_invalid_columns_raise_only_partition_errors"

NUMBER = "test_keys_do_not_depend_on_the_number_of_rows"
PROCESS = "test_results_are_equal_in_another_process"
CLOCK = "test_results_do_not_depend_on_the_time"
CALLS = "test_results_do_not_depend_on_earlier_calls"

CHECKS = [name for each in (PartitioningSuite, RepeatableSuite) for name in vars(each) if name.startswith("test_")]


def integers(column):
    if column.dtype.kind not in "iu":
        message = f"{column.dtype}; accepted: integers"
        raise PartitionError(message)
    return column


@frozen
class Parity(Partitioning):
    """By a number's sign, as text, and its hundreds."""

    variables: tuple[str, ...] = ("nested/number",)
    dimension: str | None = None

    @property
    def fields(self):
        return (Field("sign", text=True), Field("hundreds", width=2))

    def keys(self, columns):
        column = integers(columns[self.variables[0]])
        return {"sign": np.where(column < 0, "minus", "plus"), "hundreds": column // np.asarray(100, dtype="int64")}


@frozen
class Day(Partitioning):
    """By the number of the day, from 1970."""

    variables: tuple[str, ...] = ("time",)
    dimension: str | None = None

    @property
    def fields(self):
        return (Field("day"),)

    @property
    def time_variables(self):
        return self.variables

    def keys(self, columns):
        column = columns["time"]
        if column.dtype.kind != "M" or np.isnat(column).any():
            message = f"{column.dtype}; accepted: datetime64 without NaT"
            raise PartitionError(message)
        return {"day": column.astype("datetime64[D]").astype("int64")}


@frozen
class Cell(Partitioning):
    """By cells of ten degrees."""

    variables: tuple[str, ...] = ("latitude", "longitude")
    dimension: str | None = field(default="row")

    @property
    def fields(self):
        return tuple(Field(name) for name in self.variables)

    def keys(self, columns):
        return {name: self.cells(columns[name]) for name in self.variables}

    @staticmethod
    def cells(column):
        if column.dtype.kind != "f" or not (abs(column) <= 360).all():
            message = f"{column.dtype}; accepted: degrees"
            raise PartitionError(message)
        return np.floor(column / 10).astype("int64") * 10


class HasNoFields(Parity):
    @property
    def fields(self):
        return ()

    def keys(self, columns):
        return {}


class HasAFieldTwice(Parity):
    @property
    def fields(self):
        return (*super().fields, Field("hundreds", width=2))


@frozen
class Flight(Partitioning):
    """By direction, which is true or false, and by mission, which is any text."""

    variables: tuple[str, ...] = ("ascending", "mission")
    dimension: str | None = None

    @property
    def fields(self):
        return (Field("ascending", boolean=True), Field("mission", text=True))

    def keys(self, columns):
        for name, kinds in (("ascending", "b"), ("mission", "UT")):
            if columns[name].dtype.kind not in kinds or hasattr(columns[name].dtype, "na_object"):
                message = f"{name} is {columns[name].dtype}; accepted: booleans and texts"
                raise PartitionError(message)
        return {name: columns[name].copy() for name in self.variables}


class NamesItsVariableAlone(Parity):
    def __init__(self):
        object.__setattr__(self, "variables", "number")
        object.__setattr__(self, "dimension", None)

    def keys(self, columns):
        return Parity().keys({"nested/number": columns["n"]})


class ReadsATimeThatIsNoVariable(Parity):
    @property
    def time_variables(self):
        return ("time",)


class GivesLists(Day):
    def keys(self, columns):
        return {name: values.tolist() for name, values in super().keys(columns).items()}


class GivesFloats(Parity):
    def keys(self, columns):
        keys = super().keys(columns)
        return {**keys, "hundreds": keys["hundreds"].astype("float64")}


class GivesItsFieldsInAnotherOrder(Parity):
    def keys(self, columns):
        return dict(reversed(super().keys(columns).items()))


class LosesARow(Day):
    def keys(self, columns):
        return {name: values[:2] for name, values in super().keys(columns).items()}


class SaysThatItTakesCalendars(Day):
    calendars = True


class FailsWithoutRows(Day):
    def keys(self, columns):
        keys = super().keys(columns)
        keys["day"].min()
        return keys


class CountsFromTheSmallest(Parity):
    def keys(self, columns):
        column = integers(columns["nested/number"]).astype("int64")
        return super().keys({"nested/number": column - column.min(initial=0)})


class CountsFromTheFirst(Parity):
    def keys(self, columns):
        column = integers(columns["nested/number"]).astype("int64")
        return super().keys({"nested/number": column - (column[0] if column.size else 0)})


class Alternates(Parity):
    calls: ClassVar[count] = count()

    def keys(self, columns):
        keys = super().keys(columns)
        return {**keys, "hundreds": keys["hundreds"] + next(self.calls) % 2}


class SortsItsColumn(Parity):
    def keys(self, columns):
        keys = super().keys(columns)
        columns["nested/number"].sort()
        return keys


class TakesItsColumn(Parity):
    def keys(self, columns):
        return super().keys({"nested/number": columns.pop("nested/number")})


class CountsInNanoseconds(Day):
    def keys(self, columns):
        super().keys(columns)
        return {"day": np.ascontiguousarray(columns["time"]).view("int64") // 86_400_000_000_000}


class WrapsInNarrowIntegers(Parity):
    def keys(self, columns):
        column = integers(columns["nested/number"])
        return super().keys({"nested/number": column + column})


class FailsBefore1900(Day):
    def keys(self, columns):
        keys = super().keys(columns)
        if columns["time"].dtype == "datetime64[ns]" and (columns["time"] < np.datetime64("1900")).any():
            message = "too early"
            raise ValueError(message)
        return keys


class FailsFarBelowZero(Parity):
    """Its paths hold no negative number beyond 32 bits."""

    def encode(self, key):
        return super().encode({**key, "hundreds": max(key["hundreds"], -(2**31))})


class DecodesTheAbsoluteValue(Day):
    def decode(self, path):
        return Key(day=abs(super().decode(path)["day"]))


class EncodesAllDaysAsOne(Day):
    def encode(self, key):
        return super().encode(dict.fromkeys(key, 0))


class HasColonsInItsPaths(Day):
    def encode(self, key):
        return super().encode(key).replace("=", ":")

    def decode(self, path):
        if "=" in path:
            message = f"{path!r} is no path"
            raise PartitionError(message)
        return super().decode(path.replace(":", "="))


class HasAFolderMore(Day):
    def encode(self, key):
        return f"days=all/{super().encode(key)}"

    def decode(self, path):
        folder, _, rest = path.partition("/")
        if folder != "days=all":
            message = f"{path!r} is no path"
            raise PartitionError(message)
        return super().decode(rest)


class DecodesADictionary(Day):
    def decode(self, path):
        return dict(super().decode(path))


class DescendingKey(Key):
    def __lt__(self, other):
        return super().__gt__(other)


class DecodesKeysThatDescend(Day):
    def decode(self, path):
        return DescendingKey(super().decode(path))


class IgnoresPadding(Parity):
    def decode(self, path):
        if path.count("/") != 1:
            message = f"{path!r} is no path"
            raise PartitionError(message)
        sign, _, number = path.partition("/")
        try:
            key = Key(sign=self.fields[0].decode(sign), hundreds=int(number.removeprefix("hundreds=")))
        except ValueError as error:
            message = f"{path!r} is no path"
            raise PartitionError(message) from error
        if "hundreds=" not in path:
            message = f"{path!r} is no path"
            raise PartitionError(message)
        return key


class IgnoresFurtherSegments(Day):
    def decode(self, path):
        return super().decode(path.split("/")[0])


class IgnoresTheName(Day):
    def decode(self, path):
        return super().decode("day=" + path.rpartition("=")[2])


class FailsToDecodeWhatIsForeign(Day):
    def decode(self, path):
        if not path.startswith("day="):
            raise KeyError(path)
        return super().decode(path)


class EncodesAnyOrder(Parity):
    def encode(self, key):
        names = [item.name for item in self.fields]
        return super().encode({name: key[name] for name in names} if set(key) == set(names) else key)


class WritesTextsAsTheyAre(Parity):
    def encode(self, key):
        path = super().encode(key)
        return f"sign={key['sign']}/{path.rpartition('/')[2]}"


class DecodesTextsInLowerCase(Parity):
    def decode(self, path):
        key = super().decode(path)
        return Key({**key, "sign": key["sign"].lower()})


class GivesNumbersForBooleans(Flight):
    def keys(self, columns):
        keys = super().keys(columns)
        return {**keys, "ascending": keys["ascending"].astype("int64")}


class TakesEveryWordForFalse(Flight):
    def decode(self, path):
        name, separator, word = path.partition("/")[0].partition("=")
        if (name, separator) != ("ascending", "=") or path.count("/") != 1:
            message = f"{path!r} is no path"
            raise PartitionError(message)
        return Key(ascending=word == "true", mission=self.fields[1].decode(path.rpartition("/")[2]))


class TakesNumbersForBooleans(Flight):
    def encode(self, key):
        return super().encode({name: bool(value) if name == "ascending" else value for name, value in key.items()})


class LooksForItsFields(Day):
    def encode(self, key):
        return f"day={key['day']}"


class AcceptsAnyType(Parity):
    def keys(self, columns):
        column = columns["nested/number"]
        return {"sign": np.where(column < 0, "minus", "plus"), "hundreds": column // np.asarray(100, dtype="int64")}


class WarnsOfMissingValues(Cell):
    @staticmethod
    def cells(column):
        return Cell.cells(column) if column.dtype.kind != "f" else np.floor(column / 10).astype("int64") * 10


class LooksAtLongBlocksOtherwise(Parity):
    def keys(self, columns):
        column = integers(columns["nested/number"]).astype("int64")
        return super().keys({"nested/number": column - (column[0] if column.size > 1000 else 0)})


class HashesTexts(Flight):
    def keys(self, columns):
        keys = super().keys(columns)
        return {**keys, "mission": np.array([str(hash(text) % 64) for text in keys["mission"].tolist()], "U2")}


class OrdersTextsAsASetDoes(Flight):
    def keys(self, columns):
        keys = super().keys(columns)
        firsts = [min(set(text) | {"a", "b", "c", "d"}, key=hash) for text in keys["mission"].tolist()]
        return {**keys, "mission": np.array(firsts, "U1")}


class NumbersObjectsByTheirPlace(Parity):
    PLACE: ClassVar[object] = object()

    def keys(self, columns):
        keys = super().keys(columns)
        return {**keys, "hundreds": keys["hundreds"] + id(self.PLACE) // 16 % 4096}


class DrawsItsOriginWhereItIsImported(Parity):
    ORIGIN: ClassVar[int] = random.SystemRandom().randrange(10**9)

    def keys(self, columns):
        keys = super().keys(columns)
        return {**keys, "hundreds": keys["hundreds"] // 2 + self.ORIGIN}


class RemembersTheFirstOfAll(Parity):
    """The first number that any of its objects meets is the origin of all: in one process nobody sees it."""

    origin: ClassVar[list[int]] = []

    def keys(self, columns):
        column = integers(columns["nested/number"]).astype("int64")
        if column.size and not self.origin:
            self.origin.append(int(column[0]) + len(self.origin))
        keys = super().keys({"nested/number": column})
        return {**keys, "hundreds": keys["hundreds"] // 2 + sum(self.origin)}


class RemembersItsFirst(Parity):
    """The first number that the object meets is its origin."""

    def keys(self, columns):
        column = integers(columns["nested/number"]).astype("int64")
        if column.size and "origin" not in vars(self):
            object.__setattr__(self, "origin", int(column[0]))
        keys = super().keys({"nested/number": column})
        return {**keys, "hundreds": keys["hundreds"] // 2 + vars(self).get("origin", 0)}


class DrawsASaltForEachObject(Parity):
    def keys(self, columns):
        if "salt" not in vars(self):
            object.__setattr__(self, "salt", random.SystemRandom().randrange(10**9))
        keys = super().keys(columns)
        return {**keys, "hundreds": keys["hundreds"] // 2 + vars(self)["salt"]}


class ChangesAfterACentury(Parity):
    def keys(self, columns):
        number = vars(self).get("number", 0) + 1
        object.__setattr__(self, "number", number)
        keys = super().keys(columns)
        return {**keys, "hundreds": keys["hundreds"] // 2 + (number % 100 == 0)}


class ThrowsDice(Parity):
    def keys(self, columns):
        keys = super().keys(columns)
        return {**keys, "hundreds": keys["hundreds"] // 2 + random.SystemRandom().randrange(10**9)}


class ByAge(Day):
    """By age in days, a hundred years each."""

    @staticmethod
    def today():
        return dt.date.today().toordinal() - dt.date(1970, 1, 1).toordinal()

    def keys(self, columns):
        return {"day": (self.today() - super().keys(columns)["day"]) // 1000}


class ByAgeOfAMoment(ByAge):
    @staticmethod
    def today():
        return (moment.now() - moment(1970, 1, 1)).days


class ByAgeInUniversalTime(ByAge):
    @staticmethod
    def today():
        return moment.now(tz=dt.UTC).toordinal() - moment(1970, 1, 1).toordinal()


class ByAgeInSeconds(ByAge):
    @staticmethod
    def today():
        return time.time_ns() // 86_400_000_000_000


class ByAgeInNumPy(ByAge):
    @staticmethod
    def today():
        return int(np.datetime64("now").astype("M8[D]").astype("int64"))


class ByTodayInNumPy(ByAge):
    @staticmethod
    def today():
        return int(np.datetime64("today", "D").astype("int64"))


class ByTheYearOfTheImport(ByAge):
    YEAR: ClassVar[int] = time.gmtime().tm_year

    @classmethod
    def today(cls):
        return (cls.YEAR - 1970) * 365


class KeepsRecentDaysApart(Day):
    def keys(self, columns):
        keys = super().keys(columns)["day"]
        return {"day": np.where(keys > time.time() // 86_400, keys, 0)}


def described(value):
    if isinstance(value, Partitioning):
        return type(value).__name__
    return "-".join(value) if isinstance(value, dict) else value


def suite_of(partitioning, **namespace):
    return type(f"{type(partitioning).__name__}Suite", (PartitioningSuite,), {"examples": (partitioning,), **namespace})


FLIGHTS = {"columns": lambda *_: table({"ascending": ("bool", st.booleans()), "mission": ("T", strings())})}
DEGREES = {"columns": lambda *_: table({name: ("float64", st.floats(-180, 360)) for name in ("latitude", "longitude")})}


@pytest.mark.parametrize(
    ("partitioning", "namespace"), [(Parity(), {}), (Day(), {}), (Cell(), DEGREES), (Flight(), FLIGHTS)], ids=described
)
def test_a_sound_partitioning_passes(partitioning, namespace):
    assert failing(suite_of(partitioning, **namespace), CHECKS) == set()


FOUND_BY_ONE_CHECK = [
    (NamesItsVariableAlone(), {"columns": lambda *_: table({"n": ("int64", st.integers(-9, 9))})}, VARIABLES),
    (ReadsATimeThatIsNoVariable(), {}, VARIABLES),
    (SaysThatItTakesCalendars(), {}, CALENDARS),
    (FailsWithoutRows(), {}, EMPTY),
    (CountsFromTheSmallest(), {}, NEIGHBOURS),
    (SortsItsColumn(), {}, COLUMNS),
    (TakesItsColumn(), {}, COLUMNS),
    (CountsInNanoseconds(), {}, TYPES),
    (WrapsInNarrowIntegers(), {}, TYPES),
    (FailsBefore1900(), {}, EARLY),
    (DecodesADictionary(), {}, ORDER),
    (DecodesKeysThatDescend(), {}, ORDER),
    (IgnoresPadding(), {}, FOREIGN_PATHS),
    (IgnoresFurtherSegments(), {}, FOREIGN_PATHS),
    (IgnoresTheName(), {}, FOREIGN_PATHS),
    (FailsToDecodeWhatIsForeign(), {}, FOREIGN_PATHS),
    (WritesTextsAsTheyAre(), {}, TEXTS),
    (DecodesTextsInLowerCase(), {}, TEXTS),
    (TakesEveryWordForFalse(), FLIGHTS, FOREIGN_PATHS),
    (TakesNumbersForBooleans(), FLIGHTS, FOREIGN_KEYS),
    (EncodesAnyOrder(), {}, FOREIGN_KEYS),
    (LooksForItsFields(), {}, FOREIGN_KEYS),
    (AcceptsAnyType(), {}, WRONG),
    (WarnsOfMissingValues(), DEGREES, WRONG),
]

FOUND_BY_ONE_CHECK += [
    (LooksAtLongBlocksOtherwise(), {}, NUMBER),
    (OrdersTextsAsASetDoes(), FLIGHTS, PROCESS),
    (HashesTexts(), FLIGHTS, PROCESS),
    *((day(), {}, CLOCK) for day in (ByAge, ByAgeOfAMoment, ByAgeInUniversalTime, ByAgeInSeconds, ByAgeInNumPy)),
    *((day(), {}, CLOCK) for day in (ByTodayInNumPy, ByTheYearOfTheImport, KeepsRecentDaysApart)),
]

FOUND_BY_SEVERAL_CHECKS = [
    (NumbersObjectsByTheirPlace(), {}, PROCESS),
    (DrawsItsOriginWhereItIsImported(), {}, PROCESS),
    (RemembersTheFirstOfAll(), {}, PROCESS),
    (RemembersItsFirst(), {}, CALLS),
    (DrawsASaltForEachObject(), {}, CALLS),
    (DrawsASaltForEachObject(), {}, PROCESS),
    (ChangesAfterACentury(), {}, CALLS),
    (ThrowsDice(), {}, SAME),
    (HasNoFields(), {}, FIELDS),
    (HasAFieldTwice(), {}, FIELDS),
    (GivesLists(), {}, KEYS),
    (GivesFloats(), {}, KEYS),
    (GivesNumbersForBooleans(), FLIGHTS, KEYS),
    (GivesItsFieldsInAnotherOrder(), {}, KEYS),
    (LosesARow(), {}, KEYS),
    (CountsFromTheFirst(), {}, SHUFFLED),
    (Alternates(), {}, SAME),
    (FailsFarBelowZero(), {}, EARLY),
    (DecodesTheAbsoluteValue(), {}, INVERSE),
    (EncodesAllDaysAsOne(), {}, PATHS),
    (HasAFolderMore(), {}, PATHS),
    (HasColonsInItsPaths(), {}, PATHS),
]


@pytest.mark.parametrize(("partitioning", "namespace", "check"), FOUND_BY_ONE_CHECK, ids=described)
def test_a_single_fault_is_found_by_the_one_check_that_is_there_for_it(partitioning, namespace, check):
    assert failing(suite_of(partitioning, **namespace), CHECKS) == {check}


@pytest.mark.parametrize(("partitioning", "namespace", "check"), FOUND_BY_SEVERAL_CHECKS, ids=described)
def test_a_fault_of_many_consequences_is_found_by_the_check_that_is_there_for_it(partitioning, namespace, check):
    assert not passes(getattr(suite_of(partitioning, **namespace)(), check))


def test_every_check_is_there_for_a_fault():
    assert {check for _, _, check in FOUND_BY_ONE_CHECK + FOUND_BY_SEVERAL_CHECKS} == set(CHECKS)


def test_dates_and_negative_numbers_are_left_out_where_the_suite_has_columns_of_its_own():
    with pytest.raises(pytest.skip.Exception, match=r"overrides columns\(\)"):
        getattr(suite_of(Cell(), **DEGREES)(), EARLY)()
