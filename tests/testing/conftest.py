import broken_repositories
import broken_stores
import pytest
import repositories
from hypothesis import Phase, settings


@pytest.fixture(autouse=True)
def _the_same_cases_every_time():
    before = settings.get_current_profile_name()
    settings.register_profile("same", max_examples=60, derandomize=True, database=None, phases=[Phase.generate])
    settings.load_profile("same")
    yield
    settings.load_profile(before)


@pytest.fixture(autouse=True)
def _empty_stores():
    yield
    for shared in (
        broken_stores.DATA,
        broken_stores.LOCKS,
        broken_stores.SHARED,
        repositories.REPOSITORIES,
        broken_repositories.LOOPS,
    ):
        shared.clear()
