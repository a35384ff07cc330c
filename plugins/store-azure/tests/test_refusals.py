"""Rejected requests, by the server or before: errors contain the next step and no credential."""

import base64
import re

import anyio
import pytest
from zcollection_store_azure.options import Options
from zcollection_store_azure.store import AzureStore

from zcollection.plugin import LocationError, PluginConfigurationError, Read, StoreError, StoreURL

SECRET = base64.b64encode(b"swordfish").decode()


async def listed(store):
    return [entry async for entry in store.list("", recursive=True)]


USES = {
    "read": lambda store: store.get([Read("x")]),
    "write": lambda store: store.put({"x": b"1"}),
    "create": lambda store: store.create("x", b"1"),
    "list": listed,
}


def opened(url, **options):
    return anyio.run(lambda: AzureStore.open(StoreURL.parse(url), mode="rw", **options))


def message_of(use, url, **options):
    with pytest.raises(StoreError) as caught:
        anyio.run(USES[use], opened(url, **options))
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("use", USES)
def test_a_rejected_request_is_explained_in_words(azurite, use):
    message = message_of(use, "az://container/p", **(azurite.storage_options | {"key": SECRET}))
    assert re.search(
        rf"cannot {use} .* in az://container/p: access is denied \(AuthorizationFailure, 403\); check", message
    )
    message = message_of(use, "az://missing/p", **azurite.storage_options)
    assert re.search(
        r"there is no such container \(ContainerNotFound, 404\); check its name and the account: containers are not created automatically",
        message,
    )


def test_all_objects_are_deleted_even_if_some_do_not_exist(azurite):
    store = opened("az://container/many", **azurite.storage_options)
    keys = [f"{number:04}" for number in range(300)]  # more than are deleted by one request

    async def main():
        await store.put(dict.fromkeys(keys[::2], b""))
        await store.delete(keys)
        return await listed(store)

    assert anyio.run(main) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"acount": "a"}, "no option 'acount'; accepted: .*account"),
        ({"account": "My Account"}, "'account' of str; accepted: 3 to 24 lower-case letters and digits"),
        ({"key": "not base64!"}, "'key' of str; accepted: a key of the account"),
        ({"key": SECRET, "account_key": SECRET}, "'key' twice"),
        ({"key": SECRET, "sas_token": "sig=swordfish"}, "'key' and 'sas'; give one way to sign requests"),
        ({"token": "swordfish", "anon": True}, "'token' and 'anon'"),
        ({"client_id": "a", "client_secret": SECRET}, "some of 'client_id', 'client_secret', 'tenant_id'; give all"),
        ({"endpoint": "host"}, "'endpoint' of str; accepted: a URL of http"),
        ({"anon": 1}, "'anon' of int; accepted: True, False"),
    ],
)
def test_an_invalid_option_is_rejected_without_its_value(options, words):
    with pytest.raises(PluginConfigurationError, match=words) as caught:
        opened("az://container/p", **options)
    assert SECRET not in str(caught.value)
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("az://Container/p", "does not name a bucket; accepted: 'az://container/prefix'"),
        ("az://ab/p", "accepted: 'az://container/prefix'"),
        ("az://container/p?sig=swordfish", "has parameters: sig; pass options in storage_options"),
        ("az://account:swordfish@container/p", "contains credentials"),
    ],
)
def test_an_invalid_url_is_rejected(url, words):
    with pytest.raises(LocationError, match=words) as caught:
        opened(url)
    assert "swordfish" not in str(caught.value)


def test_no_repr_contains_a_credential():
    for given in ({"key": SECRET}, {"sas": f"sig={SECRET}"}, {"token": SECRET}):
        assert SECRET not in repr(Options.of(StoreURL.parse("az://container/p"), given))
