"""Errors of object storage become errors in plain words, with the next step."""

import icechunk
import pytest
from zcollection_store_icechunk.failures import translated

import zcollection as zc
from zcollection.plugin import StoreError, StoreURL

REPORT = """  x error getting object metadata from object store {first}
  |
  | context:
  |    0: icechunk::storage::s3::get_ref
  |            with ref_key="branch.{name}/ref.json"
  |
  |-> error getting object metadata from object store {first}
{causes}
"""
"""An error text of Icechunk; the causes follow the context, one per line."""

CAUSES = [
    (
        [
            "dispatch failure",
            "io error",
            "client error (Connect)",
            "tcp connect error",
            "Connection refused (os error 111)",
        ],
        "the connection was refused",
    ),
    (
        ["dispatch failure", "io error", "client error (Connect)", "dns error", "Name or service not known"],
        "name cannot be resolved; check the endpoint",
    ),
    (
        [
            "dispatch failure",
            "io error",
            "client error (Connect)",
            "received corrupt message of type InvalidContentType",
        ],
        "does not speak TLS, .*; check its port",
    ),
    (["dispatch failure", "timeout"], "the server does not answer; check the server"),
    (["service error", "unhandled error (AccessDenied)"], "access is denied; check the credentials"),
    (["service error", "unhandled error (ExpiredToken)"], "the token has expired; obtain new credentials"),
    (
        ["service error", "unhandled error", "Error"],
        "the server refuses the request or fails, .*; check the bucket's name, its region, and the credentials",
    ),
]


@pytest.mark.parametrize("name", ["main", "expiredtoken", "dns error", "certificate"])
@pytest.mark.parametrize(("causes", "words"), CAUSES, ids=[item[0][-1] for item in CAUSES])
def test_a_failure_is_explained_by_its_causes_and_not_by_names_of_branches(causes, words, name):
    text = REPORT.format(first=causes[0], name=name, causes="\n".join(f"  |-> {cause}" for cause in causes))
    with (
        pytest.raises(StoreError, match=f"cannot open icechunk.s3://bucket/x: .*{words}"),
        translated(StoreURL.parse("icechunk+s3://bucket/x"), "open"),
    ):
        raise icechunk.IcechunkError(text)


def test_a_server_that_rejects_every_request(rejecting_port):
    options = {"endpoint": f"http://127.0.0.1:{rejecting_port}", "region": "us-east-1", "key": "k", "secret": "s"}
    with pytest.raises(StoreError, match=r"cannot open icechunk.s3://bucket/x: .*; check .*credentials"):
        zc.open_collection("icechunk+s3://bucket/x", storage_options=options)


def test_a_missing_bucket(moto_server):
    # Icechunk 2 does not distinguish a missing bucket from a missing repository.
    words = ("there is no such bucket; check its name", "there is no collection at .*, or check the URL")
    with pytest.raises((StoreError, zc.CollectionNotFoundError), match="|".join(words)):
        zc.open_collection("icechunk+s3://no-such-bucket/x", storage_options=moto_server.storage_options)
