"""Signature Version 4 against the examples of the S3 API reference ("Authenticating Requests")."""

from datetime import UTC, datetime

from backend.kernel.sigv4 import Credentials, Signer, canonical_path

SIGNER = Signer(Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), "us-east-1")
HOST = "examplebucket.s3.amazonaws.com"
AT = datetime(2013, 5, 24, tzinfo=UTC)


def test_get_object_is_signed_as_in_the_reference() -> None:
    signed = SIGNER.headers("GET", HOST, "/test.txt", headers={"Range": "bytes=0-9"}, body=b"", at=AT)
    assert signed["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


def test_put_object_is_signed_as_in_the_reference() -> None:
    signed = SIGNER.headers(
        "PUT",
        HOST,
        canonical_path("test$file.text"),
        headers={"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
        body=b"Welcome to Amazon S3.",
        at=AT,
    )
    assert signed["x-amz-content-sha256"] == "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
    assert signed["Authorization"].endswith("98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")


def test_a_presigned_address_is_signed_as_in_the_reference() -> None:
    query = SIGNER.query("GET", HOST, "/test.txt", ttl_s=86_400, at=AT)
    assert query == (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


def test_an_address_never_lives_longer_than_a_week() -> None:
    assert "X-Amz-Expires=604800&" in SIGNER.query("GET", HOST, "/a.txt", ttl_s=10_000_000, at=AT)


def test_the_secret_does_not_show_in_a_repr() -> None:
    assert "EXAMPLEKEY" not in repr(SIGNER)
