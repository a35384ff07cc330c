import pytest
from fault_proxy import running_proxy


@pytest.fixture(scope="session")
def _proxy(ministack_server):
    with running_proxy(ministack_server) as proxy:
        proxy.create_bucket("bucket")
        yield proxy


@pytest.fixture
def proxy(_proxy):
    _proxy.forget()
    yield _proxy
    _proxy.forget()
